//! What can be wrong with a model or an evaluation: one list of stable codes, each with a sentence
//! in zh-CN and English.
//!
//! A [`Finding`] is found when a text is read, a [`Reason`] when an evaluation gave null. Neither
//! is ever a panic.

use serde::{Deserialize, Serialize};

/// Makes the codes from one list: documentation, stable text, Chinese and English sentence.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $zh:literal, $en:literal;)*) => {
        /// The kinds of trouble. The text of a code is stable and never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// Stable text, Chinese and English sentence.
            fn row(self) -> (&'static str, &'static str, &'static str) {
                match self {
                    $(Code::$name => ($text, $zh, $en),)*
                }
            }
        }
    };
}

codes! {
    /// The text is not an expression.
    Syntax = "syntax",
        "此处写法不符合表达式语法，请改正",
        "the text is not a valid expression here";
    /// A name that nothing in scope has.
    UnknownName = "unknown-name",
        "此名称没有定义，请检查输入项和所需决策",
        "nothing in scope has this name; check inputs and required decisions";
    /// A function that nothing in scope has.
    UnknownFunction = "unknown-function",
        "没有此函数，请检查名称",
        "there is no function of this name";
    /// A type that the model does not define.
    UnknownType = "unknown-type",
        "没有此类型，请在类型定义中补充",
        "there is no type of this name; define it";
    /// A literal that does not denote a value.
    InvalidLiteral = "invalid-literal",
        "此常量不是有效的值",
        "the literal does not denote a value";
    /// Nesting, length or count beyond the bound.
    TooLarge = "too-large",
        "超出长度或嵌套层数的上限，请拆分",
        "beyond the bound of length or nesting; split it";
    /// The file is not well-formed XML, or uses entities or a DTD.
    Xml = "xml",
        "文件不是规范的 XML（不允许实体和 DTD）",
        "the file is not well-formed XML (entities and DTDs are refused)";
    /// The XML is no DMN model that is understood.
    NotDmn = "not-dmn",
        "文件不是可识别的 DMN 1.3–1.6 模型",
        "the file is not a DMN 1.3–1.6 model";
    /// A reference to an element that the model does not have.
    UnknownReference = "unknown-reference",
        "引用的元素不存在",
        "the referenced element does not exist";
    /// Two elements of the same name or id.
    Duplicate = "duplicate",
        "名称或编号重复",
        "the name or id is used twice";
    /// A decision that depends on itself.
    Cycle = "cycle",
        "决策互相依赖成环",
        "decisions depend on each other in a circle";
    /// An external (Java, PMML) function.
    ExternalFunction = "external-function",
        "不支持 Java 或 PMML 外部函数，请改写为表达式",
        "external Java or PMML functions are refused; write it as an expression";
    /// A decision table whose parts do not fit each other.
    BadTable = "bad-table",
        "决策表的行列不相符",
        "rows and columns of the decision table do not fit";
    /// An operand or argument of a type that the operation does not take.
    WrongType = "wrong-type",
        "值的类型不适用于此运算",
        "the operation does not take a value of this type";
    /// A number of arguments that the function does not take.
    WrongArguments = "wrong-arguments",
        "参数的个数或名称不符",
        "number or names of the arguments do not fit";
    /// An argument outside the range of the function.
    OutOfRange = "out-of-range",
        "参数超出允许范围",
        "the argument is out of range";
    /// A division by zero.
    DivisionByZero = "division-by-zero",
        "除数为零",
        "division by zero";
    /// A number beyond 38 digits and the exponent range.
    Overflow = "overflow",
        "数值超出可表示的范围",
        "the number is out of range";
    /// A value that is not of the declared type or not among the allowed values.
    NotAllowed = "not-allowed",
        "值不符合规定的类型或取值范围",
        "the value is not of the declared type or not among the allowed values";
    /// An input that was not given.
    MissingInput = "missing-input",
        "缺少输入项",
        "the input was not given";
    /// A context or value without the named entry.
    NoSuchEntry = "no-such-entry",
        "没有此项",
        "there is no such entry";
    /// Several rules met under the hit policy UNIQUE.
    SeveralRules = "several-rules",
        "唯一命中策略下有多条规则同时满足",
        "several rules are met under UNIQUE";
    /// Rules met under ANY whose results differ.
    DifferentResults = "different-results",
        "任意命中策略下满足的规则结果不一致",
        "rules met under ANY give different results";
    /// No rule met, and there is no default.
    NoRule = "no-rule",
        "没有满足的规则，也没有默认结果",
        "no rule is met and there is no default";
    /// Something that is no function was called.
    NotAFunction = "not-a-function",
        "被调用的不是函数",
        "what is called is not a function";
    /// `now()` or `today()` without a given moment.
    NoClock = "no-clock",
        "未给出当前时间",
        "no current moment was given";
    /// The evaluation used up its steps, list length or depth.
    Limit = "limit",
        "计算量超出上限，已停止",
        "the evaluation went beyond its bounds and was stopped";
    /// A decision without logic, or whose logic could not be read.
    NoLogic = "no-logic",
        "决策没有可用的逻辑",
        "the decision has no usable logic";
    /// Null where a value is needed.
    NullOperand = "null-operand",
        "此处需要值，但为空",
        "a value is needed but there is none";
}

impl Code {
    /// The stable text of the code, as in serialised form.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The Chinese sentence; `detail` names the thing.
    pub fn zh(self, detail: &str) -> String {
        join(self.row().1, "：", detail)
    }

    /// The English sentence; `detail` names the thing.
    pub fn en(self, detail: &str) -> String {
        join(self.row().2, ": ", detail)
    }
}

fn join(sentence: &str, colon: &str, detail: &str) -> String {
    if detail.is_empty() {
        sentence.to_owned()
    } else {
        format!("{sentence}{colon}{detail}")
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The part cannot be used; a decision with an error evaluates to null.
    Error,
    /// Usable, but probably not what was meant.
    Warning,
}

/// Something found while reading a text, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The kind of trouble.
    pub code: Code,
    /// The element of the model (decision, rule, cell), empty for a bare expression.
    pub element: String,
    /// Line in the text, from 1.
    pub line: u32,
    /// Column in the line in characters, from 1.
    pub column: u32,
    /// What to do, in Chinese.
    pub message_zh: String,
    /// What to do, in English.
    pub message_en: String,
}

impl Finding {
    /// An error at a place.
    pub fn error(code: Code, element: &str, line: u32, column: u32, detail: &str) -> Self {
        Finding {
            severity: Severity::Error,
            code,
            element: element.to_owned(),
            line,
            column,
            message_zh: code.zh(detail),
            message_en: code.en(detail),
        }
    }

    /// The same as a warning.
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

/// Why an evaluation gave null somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The kind of trouble.
    pub code: Code,
    /// What it is about: an operand, a function, a name.
    pub detail: String,
    /// The decision or other element that was evaluated, empty for a bare expression.
    pub element: String,
    /// Offset in the expression's text in bytes.
    pub offset: u32,
}

impl Reason {
    /// The Chinese sentence.
    pub fn zh(&self) -> String {
        self.code.zh(&self.detail)
    }

    /// The English sentence.
    pub fn en(&self) -> String {
        self.code.en(&self.detail)
    }
}

/// A null with its cause on the way up to the evaluator, which adds the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Fault {
            code,
            detail: detail.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_texts_of_their_own() {
        let mut texts: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
        assert_eq!(serde_json::to_string(&Code::NoRule).unwrap(), "\"no-rule\"");
    }

    #[test]
    fn sentences_name_the_thing() {
        let finding = Finding::error(Code::UnknownName, "补贴金额", 2, 5, "发电量");
        assert!(
            finding.message_zh.ends_with("：发电量"),
            "{}",
            finding.message_zh
        );
        assert!(
            finding.message_en.ends_with(": 发电量"),
            "{}",
            finding.message_en
        );
        assert!(!Code::Cycle.zh("").contains('：'));
    }
}
