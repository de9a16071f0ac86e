//! One table per error type: the stable code of each refusal and its sentence in both languages.
//!
//! It lacks a common trait on purpose: a caller handles one error type at a time.

/// Declares an error enum of plain variants together with `code`, `message_zh`, `message_en` and `ALL`.
macro_rules! refusals {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident: $code:literal, $zh:literal, $en:literal; )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )+
        }

        impl $name {
            /// Every refusal of this type, in the order of its table.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable name of the refusal; it never changes its meaning.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// What to do about it, in Chinese.
            pub const fn message_zh(self) -> &'static str {
                match self { $(Self::$variant => $zh),+ }
            }

            /// What to do about it, in English.
            pub const fn message_en(self) -> &'static str {
                match self { $(Self::$variant => $en),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.message_en())
            }
        }

        impl std::error::Error for $name {}
    };
}

pub(crate) use refusals;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    /// Collects (code, zh, en) of every error type of the crate.
    fn all() -> Vec<(&'static str, &'static str, &'static str)> {
        macro_rules! gather {
            ($($name:ty),+) => {{
                let mut rows = Vec::new();
                $(rows.extend(<$name>::ALL.iter().map(|e| (e.code(), e.message_zh(), e.message_en())));)+
                rows
            }};
        }
        gather!(
            crate::DecimalError,
            crate::CreditCodeError,
            crate::IdNumberError,
            crate::PhoneError,
            crate::BankAccountNumberError,
            crate::BankCodeError,
            crate::RegionCodeError,
            crate::industry::IndustryCodeError,
            crate::CalendarError,
            crate::DateError,
            crate::QuarterError
        )
    }

    #[test]
    fn codes_are_unique_kebab_text_and_sentences_are_there() {
        let mut seen = HashSet::new();
        for (code, zh, en) in all() {
            assert!(seen.insert(code), "twice: {code}");
            assert!(
                code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{code}"
            );
            assert!(!zh.is_ascii(), "{code}: no Chinese sentence");
            assert!(
                en.is_ascii() && en.len() > 10,
                "{code}: no English sentence"
            );
        }
    }
}
