//! Why a step did not happen. Every kind has a stable code and a sentence in Chinese and English
//! that says what to do. Deliberately lacks findings about models: those are in `finding`.

use crate::state::ActivityId;

/// Why a condition gave no answer. The caller fills it; the step hands it back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// What went wrong, in the words of the evaluator.
    pub message: String,
}

/// Why a step did not happen. The state is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The case has been started before.
    #[error("the case has been started before; do not start it again")]
    AlreadyStarted,
    /// The case is over.
    #[error("the case is over; open a new one or reopen the decision")]
    AlreadyEnded,
    /// No activity with this number waits, e.g. because another input ended it first.
    #[error("activity {} is not waiting any more; load the case again", .0.0)]
    UnknownActivity(ActivityId),
    /// The activity waits for something else, e.g. a timer was to be completed like a task.
    #[error("activity {} at \"{node}\" does not wait for this input; complete tasks, fire timers", .activity.0)]
    WrongInput {
        /// The activity.
        activity: ActivityId,
        /// Id of its node.
        node: String,
    },
    /// No condition held at a node that has no default flow.
    #[error(
        "no condition out of \"{node}\" holds and it has no default flow; correct the data or add a default"
    )]
    NoConditionHeld {
        /// Id of the node.
        node: String,
    },
    /// A condition could not be answered.
    #[error(
        "the condition on flow \"{flow}\" out of \"{node}\" gave no answer: {error}; correct the data or the condition"
    )]
    ConditionFailed {
        /// Id of the node.
        node: String,
        /// Id of the flow.
        flow: String,
        /// What the evaluator said.
        error: ConditionError,
    },
    /// The model runs on without ever waiting for a person, a service or a timer.
    #[error(
        "the model runs in a circle without a task or timer through {nodes:?}; put one into the loop"
    )]
    Unbounded {
        /// Ids of the nodes in the circle, ascending.
        nodes: Vec<String>,
    },
    /// The case would hold more tokens and activities than allowed.
    #[error(
        "the case holds too many activities at once; look for a loop that splits without joining"
    )]
    TooManyTokens,
    /// The transition cannot happen in this state.
    #[error("this transition is not possible in this state; ask for the enabled ones again")]
    NotEnabled,
    /// The state names nodes or flows that the definition does not have.
    #[error(
        "the state belongs to another version of the process; load the version frozen with the case"
    )]
    ForeignState,
}

impl StepError {
    /// Stable code of the kind.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            StepError::AlreadyStarted => "process-already-started",
            StepError::AlreadyEnded => "process-already-ended",
            StepError::UnknownActivity(_) => "process-unknown-activity",
            StepError::WrongInput { .. } => "process-wrong-input",
            StepError::NoConditionHeld { .. } => "process-no-condition-held",
            StepError::ConditionFailed { .. } => "process-condition-failed",
            StepError::Unbounded { .. } => "process-unbounded",
            StepError::TooManyTokens => "process-too-many-tokens",
            StepError::NotEnabled => "process-not-enabled",
            StepError::ForeignState => "process-foreign-state",
        }
    }

    /// What happened and what to do, in Chinese.
    #[must_use]
    pub fn message_zh(&self) -> String {
        match self {
            StepError::AlreadyStarted => "办件已经启动，请勿重复启动。".to_owned(),
            StepError::AlreadyEnded => "办件流程已经结束，请新建办件或重新开启决定。".to_owned(),
            StepError::UnknownActivity(activity) => {
                format!(
                    "任务 {} 已不在等待，可能已被他人办理，请刷新办件页面。",
                    activity.0
                )
            }
            StepError::WrongInput { activity, node } => format!(
                "任务 {}（节点“{node}”）不接受此操作：任务应办结，计时器应到时触发。",
                activity.0
            ),
            StepError::NoConditionHeld { node } => {
                format!(
                    "节点“{node}”之后没有任何条件成立，也没有默认流向，请更正数据或增加默认流向。"
                )
            }
            StepError::ConditionFailed { node, flow, error } => {
                format!("节点“{node}”流向“{flow}”的条件无法判断：{error}。请更正数据或条件。")
            }
            StepError::Unbounded { nodes } => format!(
                "流程在节点“{}”之间自动循环、不会停下，请在循环中加入任务或计时器。",
                nodes.join("、")
            ),
            StepError::TooManyTokens => {
                "办件同时进行的活动过多，请检查只分支、不汇合的循环。".to_owned()
            }
            StepError::NotEnabled => "当前状态下不能进行此步，请重新查询可进行的步骤。".to_owned(),
            StepError::ForeignState => {
                "办件状态与流程版本不符，请使用办件受理时固定的流程版本。".to_owned()
            }
        }
    }
}
