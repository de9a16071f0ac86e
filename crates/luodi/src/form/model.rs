//! What a form is once it has been read: sections of fields, each field with its kind, its checks
//! and what it says about personal data. Deliberately lacks reading, checking and showing.

use jiff::civil::Date;
use policy::Expression;
use regex::Regex;
use vocab::Quarter;

use super::check::{CodeRule, DateRule};

/// A form that may be filled in. Keys are unique within the form, and within a row of a list.
#[derive(Clone, Debug)]
pub struct Form {
    /// The schema's id.
    pub id: String,
    /// Cards of the form, in their order; fields outside a group stand in cards without title.
    pub sections: Vec<Section>,
}

/// A card of the form.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Heading of the card; empty for fields that stand outside a group.
    pub title: String,
    /// A sentence under the heading; may be empty.
    pub hint: String,
    /// Hides the whole card where it holds.
    pub hide: Option<Expression>,
    /// The fields, in their order.
    pub fields: Vec<Field>,
}

/// One field, or a paragraph of text between fields.
#[derive(Clone, Debug)]
pub struct Field {
    /// The name under which the value is posted, stored and known to expressions; empty for text.
    pub key: String,
    /// What the field is called, in Chinese; a name for expressions, too.
    pub label: String,
    /// What records call it where the label is a whole sentence; may be empty.
    pub short: String,
    /// What to fill in; may be empty.
    pub hint: String,
    /// What sort of field.
    pub kind: FieldKind,
    /// A value must be given.
    pub required: bool,
    /// Shown but not changed by the visitor.
    pub readonly: bool,
    /// What kind of personal data it holds: sealed at rest, masked wherever it is shown.
    pub class: Option<Class>,
    /// The unit shown behind the figure, such as kW; may be empty.
    pub unit: String,
    /// Where a known value comes from, such as `party_kind`.
    pub prefill: Option<String>,
    /// Hides the field where it holds; a hidden field has no value.
    pub hide: Option<Expression>,
    /// What the value must fulfil together with others of the form.
    pub demand: Option<Demand>,
}

/// A condition over the form's values, and what to say where it does not hold.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Refuses the field's value where it is false; where another value is missing it is neither.
    pub holds: Expression,
    /// What is wrong and what to do, in Chinese.
    pub message: String,
}

/// What sort of field.
#[derive(Clone, Debug)]
pub enum FieldKind {
    /// A line of text, or several lines.
    Text {
        /// Several lines.
        long: bool,
        /// What the text must fulfil.
        check: TextCheck,
    },
    /// An exact decimal number, kept as text.
    Number {
        /// The most digits after the point; `None` for as many as 12.
        decimals: Option<u32>,
        /// The smallest value allowed.
        min: Option<policy::feel::Number>,
        /// The largest value allowed.
        max: Option<policy::feel::Number>,
    },
    /// A civil date, kept as `YYYY-MM-DD`.
    Date {
        /// Whether it may lie ahead.
        rule: Option<DateRule>,
        /// The first day that can be right.
        earliest: Option<Date>,
    },
    /// One of several.
    Choice {
        /// What may be chosen; empty where it is one of the latest quarters that are over.
        options: Vec<Choice>,
        /// Radio buttons rather than a list.
        radio: bool,
        /// A rule the chosen code must fulfil besides.
        rule: Option<CodeRule>,
    },
    /// Any number of several.
    Checklist {
        /// What may be chosen.
        options: Vec<Choice>,
    },
    /// Yes or no; `required` means it must be ticked.
    Checkbox,
    /// Files of one slot.
    File {
        /// Extensions allowed, such as `pdf`; empty for all that the installation takes.
        types: Vec<String>,
        /// More than one file.
        multiple: bool,
    },
    /// Rows of fields.
    List {
        /// The fields of a row.
        fields: Vec<Field>,
        /// How many rows an empty form shows.
        rows: usize,
        /// The most rows.
        max_rows: usize,
    },
    /// A paragraph to read.
    Paragraph {
        /// The text, lines separated.
        text: String,
    },
}

/// What a text must fulfil.
#[derive(Clone, Debug, Default)]
pub struct TextCheck {
    /// The fewest characters.
    pub min_length: Option<usize>,
    /// The most characters.
    pub max_length: Option<usize>,
    /// A pattern of the schema.
    pub pattern: Option<Regex>,
    /// What to say where the pattern does not fit; may be empty.
    pub pattern_hint: String,
    /// A code or shape with a check of its own.
    pub rule: Option<CodeRule>,
}

/// One option of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is stored.
    pub value: String,
    /// What is shown.
    pub label: String,
}

/// The kind of personal data a field holds, as `luodi.class` writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The name of a natural person who is not the applicant, such as a contact.
    Name,
    /// A citizen identity number.
    IdNumber,
    /// A bank account number.
    BankAccount,
    /// A telephone number.
    Phone,
    /// An address.
    Address,
    /// A statement about health.
    Health,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 6] = [
        Class::Name,
        Class::IdNumber,
        Class::BankAccount,
        Class::Phone,
        Class::Address,
        Class::Health,
    ];

    /// The code in packages and in the store.
    pub const fn code(self) -> &'static str {
        match self {
            Class::Name => "name",
            Class::IdNumber => "id_number",
            Class::BankAccount => "bank_account",
            Class::Phone => "phone",
            Class::Address => "address",
            Class::Health => "health",
        }
    }

    /// The class of a code.
    pub fn from_code(code: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.code() == code)
    }

    /// What a page may show of a value of this class.
    pub fn mask(self, text: &str) -> String {
        const HIDDEN: &str = "****";
        match self {
            Class::Name => vocab::mask_person_name(text),
            Class::IdNumber => {
                vocab::IdNumber::parse(text).map_or_else(|_| HIDDEN.to_owned(), |n| n.masked())
            }
            Class::BankAccount => vocab::BankAccountNumber::parse(text)
                .map_or_else(|_| HIDDEN.to_owned(), |n| n.masked()),
            Class::Phone => {
                vocab::Phone::parse(text).map_or_else(|_| HIDDEN.to_owned(), |n| n.masked())
            }
            Class::Address => vocab::mask_address(text),
            Class::Health => HIDDEN.to_owned(),
        }
    }
}

impl Form {
    /// Every field in the order of the form, without paragraphs; rows of lists are not entered.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        let all = self.sections.iter().flat_map(|section| &section.fields);
        all.filter(|field| !matches!(field.kind, FieldKind::Paragraph { .. }))
    }

    /// The field with this key.
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.fields().find(|field| field.key == key)
    }

    /// The slots into which files are put, in the order of the form.
    pub fn slots(&self) -> impl Iterator<Item = &Field> {
        self.fields()
            .filter(|field| matches!(field.kind, FieldKind::File { .. }))
    }
}

impl Field {
    /// Whether the value is a file rather than data.
    pub fn is_file(&self) -> bool {
        matches!(self.kind, FieldKind::File { .. })
    }

    /// The label of an option; the value itself where the option is unknown.
    pub fn option_label(&self, value: &str) -> String {
        let options = match &self.kind {
            FieldKind::Choice { options, .. } if options.is_empty() => {
                return Quarter::parse(value).map_or_else(|_| value.to_owned(), Quarter::zh);
            }
            FieldKind::Choice { options, .. } | FieldKind::Checklist { options } => {
                options.as_slice()
            }
            _ => &[],
        };
        options
            .iter()
            .find(|option| option.value == value)
            .map_or_else(|| value.to_owned(), |o| o.label.clone())
    }
}
