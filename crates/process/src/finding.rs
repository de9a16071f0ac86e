//! What reading a model has to say: findings with position, stable code and a sentence in Chinese
//! and English that says what to do. Every kind of problem is described here, once.

/// Whether the model can run all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; the model runs.
    Warning,
    /// The model is refused.
    Error,
}

/// One thing found in a model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Whether the model can run all the same.
    pub severity: Severity,
    /// Stable code of the kind, e.g. `bpmn-unsupported-element`.
    pub code: &'static str,
    /// Id of the element, when it has one.
    pub element: Option<String>,
    /// Line in the XML, from 1.
    pub line: u32,
    /// Column in the XML in characters, from 1.
    pub column: u32,
    /// What is wrong and what to do, in Chinese.
    pub message_zh: String,
    /// What is wrong and what to do, in English.
    pub message_en: String,
}

/// The parts of a [`Finding`] that depend only on the kind of problem.
pub(crate) struct Description {
    pub(crate) severity: Severity,
    pub(crate) code: &'static str,
    pub(crate) zh: String,
    pub(crate) en: String,
}

/// A kind of problem.
pub(crate) trait Problem {
    fn describe(&self) -> Description;
}

fn error(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Description {
    let (zh, en) = (zh.into(), en.into());
    Description {
        severity: Severity::Error,
        code,
        zh,
        en,
    }
}

fn warning(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Description {
    let (zh, en) = (zh.into(), en.into());
    Description {
        severity: Severity::Warning,
        code,
        zh,
        en,
    }
}

/// What can be wrong with the file as a whole.
pub(crate) enum DocumentProblem {
    TooLarge {
        what_zh: &'static str,
        what_en: &'static str,
        limit: usize,
    },
    NotXml {
        why: String,
    },
    NotBpmn {
        root: String,
    },
    NoProcess,
    SeveralProcesses {
        processes: Vec<String>,
    },
}

impl Problem for DocumentProblem {
    fn describe(&self) -> Description {
        match self {
            Self::TooLarge {
                what_zh,
                what_en,
                limit,
            } => error(
                "bpmn-too-large",
                format!("模型过大：{what_zh}不得超过 {limit}，请拆分流程。"),
                format!("the model is too large: at most {limit} {what_en}; divide the process"),
            ),
            Self::NotXml { why } => error(
                "bpmn-not-xml",
                format!("文件不是有效的 XML（{why}），请用建模工具重新导出。"),
                format!("the file is not valid XML ({why}); export it again from the modeller"),
            ),
            Self::NotBpmn { root } => error(
                "bpmn-not-bpmn",
                format!("根元素是“{root}”，应为 BPMN 2.0 的 definitions。"),
                format!("the root element is \"{root}\"; it must be definitions of BPMN 2.0"),
            ),
            Self::NoProcess => error(
                "bpmn-no-process",
                "文件中没有 process 元素，请画出一个流程。",
                "the file has no process element; draw one process",
            ),
            Self::SeveralProcesses { processes } => error(
                "bpmn-several-processes",
                format!(
                    "文件中有多个流程（{}），只允许一个，请分成多个文件。",
                    processes.join("、")
                ),
                format!(
                    "the file has several processes ({}); one is allowed, divide the file",
                    processes.join(", ")
                ),
            ),
        }
    }
}

/// What can be wrong with one element by itself.
pub(crate) enum ElementProblem {
    Unsupported {
        tag: String,
        allowed: &'static str,
    },
    UnsupportedAttribute {
        attribute: &'static str,
        value: String,
    },
    Ignored {
        tag: String,
    },
    NoId {
        tag: String,
    },
    DuplicateId {
        id: String,
    },
}

impl Problem for ElementProblem {
    fn describe(&self) -> Description {
        match self {
            Self::Unsupported { tag, allowed } => error(
                "bpmn-unsupported-element",
                format!("不支持元素 {tag}。此处可用：{allowed}。"),
                format!("{tag} is not supported; allowed here: {allowed}"),
            ),
            Self::UnsupportedAttribute { attribute, value } => error(
                "bpmn-unsupported-attribute",
                format!("不支持 {attribute}=\"{value}\"，请删除此属性。"),
                format!("{attribute}=\"{value}\" is not supported; remove the attribute"),
            ),
            Self::Ignored { tag } => warning(
                "bpmn-element-ignored",
                format!("元素 {tag} 仅作说明，不会执行。"),
                format!("{tag} is kept as documentation and not executed"),
            ),
            Self::NoId { tag } => error(
                "bpmn-id-missing",
                format!("元素 {tag} 没有 id，请补上唯一的 id。"),
                format!("{tag} has no id; give it a unique one"),
            ),
            Self::DuplicateId { id } => error(
                "bpmn-id-duplicate",
                format!("id“{id}”重复，请改为唯一的 id。"),
                format!("the id \"{id}\" is used twice; make it unique"),
            ),
        }
    }
}

/// What can be wrong with what an element says.
pub(crate) enum ContentProblem {
    NoTimer,
    SeveralTimers,
    BadTimer { text: String },
    ConditionEmpty,
    ConditionLanguage { language: String },
    BadShape { element: String },
}

impl Problem for ContentProblem {
    fn describe(&self) -> Description {
        match self {
            Self::NoTimer => error(
                "bpmn-timer-missing",
                "计时器没有时间。请写 timeDate、timeDuration 或 luodi:workingDays。",
                "the timer has no time; give timeDate, timeDuration or luodi:workingDays",
            ),
            Self::SeveralTimers => error(
                "bpmn-timer-ambiguous",
                "计时器写了多个时间，只能保留一个。",
                "the timer has more than one time; keep one",
            ),
            Self::BadTimer { text } => error(
                "bpmn-timer-unknown",
                format!(
                    "无法识别计时器的时间“{text}”。可用：日期（2026-03-01）、时长（P15D、PT2H）、1 至 1000 个工作日。"
                ),
                format!(
                    "the timer's time \"{text}\" is unknown; allowed: a date (2026-03-01), a duration (P15D, PT2H), 1 to 1000 working days"
                ),
            ),
            Self::ConditionEmpty => error(
                "bpmn-condition-empty",
                "流向条件为空，请填写 FEEL 表达式或删除条件。",
                "the condition is empty; write a FEEL expression or remove it",
            ),
            Self::ConditionLanguage { language } => error(
                "bpmn-condition-language",
                format!("条件使用“{language}”，只支持 FEEL 表达式。"),
                format!("the condition is in \"{language}\"; only FEEL expressions are allowed"),
            ),
            Self::BadShape { element } => warning(
                "bpmn-shape-unreadable",
                format!("“{element}”的图形坐标无法识别，图上将不显示。"),
                format!("the coordinates of \"{element}\" are unreadable; it will not be drawn"),
            ),
        }
    }
}

/// What can be wrong with a node's place in the whole.
pub(crate) enum NodeProblem {
    NoStart,
    SeveralStarts,
    NoEnd,
    Unreachable,
    NoWayOut,
    NotDrawn,
}

impl Problem for NodeProblem {
    fn describe(&self) -> Description {
        match self {
            Self::NoStart => error(
                "bpmn-no-start",
                "流程没有开始事件，请加上一个。",
                "the process has no start event; add one",
            ),
            Self::SeveralStarts => error(
                "bpmn-several-starts",
                "流程有多个开始事件，只能保留一个。",
                "the process has more than one start event; keep one",
            ),
            Self::NoEnd => error(
                "bpmn-no-end",
                "流程没有结束事件，请加上一个。",
                "the process has no end event; add one",
            ),
            Self::Unreachable => error(
                "bpmn-unreachable",
                "从开始事件无法到达此节点，请连上或删除。",
                "no path from the start event leads here; connect or remove it",
            ),
            Self::NoWayOut => warning(
                "bpmn-implicit-end",
                "此节点之后没有流向，分支在此结束；请连到结束事件。",
                "nothing follows this node, so the branch ends here; connect it to an end event",
            ),
            Self::NotDrawn => warning(
                "bpmn-not-drawn",
                "此节点没有图形，流程图上将不显示。",
                "this node has no shape and will be missing from the drawing",
            ),
        }
    }
}

/// What can be wrong with how elements are connected.
pub(crate) enum ConnectionProblem {
    FlowToNowhere {
        end: &'static str,
        reference: String,
    },
    IntoStart,
    OutOfEnd,
    IntoBoundary,
    HostUnknown {
        reference: String,
    },
}

impl Problem for ConnectionProblem {
    fn describe(&self) -> Description {
        match self {
            Self::FlowToNowhere { end, reference } => error(
                "bpmn-flow-to-nowhere",
                format!("流向的 {end}=\"{reference}\" 不是本流程的节点，请重新连接。"),
                format!("{end}=\"{reference}\" is no node of this process; connect the flow again"),
            ),
            Self::IntoStart => error(
                "bpmn-flow-into-start",
                "流向不能指向开始事件，请改连到其后的节点。",
                "a flow must not lead into the start event; connect it to what follows",
            ),
            Self::OutOfEnd => error(
                "bpmn-flow-out-of-end",
                "结束事件之后不能有流向，请删除。",
                "nothing may follow an end event; remove the flow",
            ),
            Self::IntoBoundary => error(
                "bpmn-flow-into-boundary",
                "流向不能指向边界事件，请改连到任务。",
                "a flow must not lead into a boundary event; connect it to the task",
            ),
            Self::HostUnknown { reference } => error(
                "bpmn-boundary-on-nothing",
                format!("边界事件附着的“{reference}”不是本流程的任务，请附着到任务上。"),
                format!(
                    "the boundary event is attached to \"{reference}\", which is no task of this process; attach it to a task"
                ),
            ),
        }
    }
}

/// What can be wrong with how the ways out of a node are chosen.
pub(crate) enum ChoiceProblem {
    DefaultUnknown { reference: String },
    ConditionMissing { gateway: String },
    ConditionNotAllowed { source: String },
    ConditionOnDefault,
    NoDefault,
    TooManyConditions { limit: usize },
}

impl Problem for ChoiceProblem {
    fn describe(&self) -> Description {
        match self {
            Self::DefaultUnknown { reference } => error(
                "bpmn-default-unknown",
                format!("默认流向“{reference}”不是从此节点出发的流向，请重新指定。"),
                format!(
                    "the default flow \"{reference}\" does not leave this node; choose one that does"
                ),
            ),
            Self::ConditionMissing { gateway } => error(
                "bpmn-condition-missing",
                format!("从网关“{gateway}”出发的流向没有条件，请填写条件或设为默认流向。"),
                format!(
                    "the flow out of gateway \"{gateway}\" has no condition; write one or make it the default"
                ),
            ),
            Self::ConditionNotAllowed { source } => error(
                "bpmn-condition-not-allowed",
                format!("从“{source}”出发的流向不能有条件，请删除条件或改用排他网关。"),
                format!(
                    "a flow out of \"{source}\" cannot have a condition; remove it or use an exclusive gateway"
                ),
            ),
            Self::ConditionOnDefault => warning(
                "bpmn-condition-on-default",
                "默认流向上的条件不会被判断，请删除。",
                "the condition on a default flow is never asked; remove it",
            ),
            Self::NoDefault => warning(
                "bpmn-no-default",
                "没有默认流向：所有条件都不成立时办件会停住，建议指定一个。",
                "there is no default flow: a case stops here when no condition holds; choose one",
            ),
            Self::TooManyConditions { limit } => error(
                "bpmn-too-many-conditions",
                format!("此节点有条件的流向超过 {limit} 个，请分成几个网关。"),
                format!(
                    "more than {limit} flows with conditions leave this node; divide the gateway"
                ),
            ),
        }
    }
}
