//! What people call the things that events name by id: each domain is asked once for all ids of its
//! noun, whatever the number of events.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::fields;
use super::words;
use crate::store::{Query, StoreError, Written};
use crate::{account, article, attachment, casework, fund, item, notice, party};

/// A kind of thing that an id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Noun {
    Account,
    Article,
    Attachment,
    BankAccount,
    Batch,
    BatchEntry,
    BudgetLine,
    Casework,
    Department,
    Draft,
    Item,
    Notice,
    NoticeEntry,
    Objection,
    Party,
    PaymentFile,
    Version,
}

impl Noun {
    /// The kind of thing a table of subjects holds.
    pub(super) fn of_table(table: &str) -> Option<Self> {
        Some(match table {
            "account" => Self::Account,
            "article" => Self::Article,
            "bank_account" => Self::BankAccount,
            "batch" => Self::Batch,
            "budget_line" => Self::BudgetLine,
            "casework" => Self::Casework,
            "department" => Self::Department,
            "draft" => Self::Draft,
            "item" => Self::Item,
            "notice" => Self::Notice,
            "objection" => Self::Objection,
            "party" => Self::Party,
            "payment_file" => Self::PaymentFile,
            "item_version" | "policy_version" => Self::Version,
            _ => return None,
        })
    }
}

/// What a thing is called.
#[derive(Clone, Debug, Default)]
pub(super) struct Name {
    /// Its number or name.
    pub(super) text: String,
    /// A log-in name beside it; may be empty.
    pub(super) login: String,
    /// It is, or belongs to, a natural person; nothing where that is not known.
    pub(super) person: Option<bool>,
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

impl From<party::named::Called> for Name {
    fn from(called: party::named::Called) -> Self {
        Self {
            text: called.name,
            login: String::new(),
            person: Some(called.person),
        }
    }
}

impl From<fund::named::EntryCalled> for Name {
    fn from(called: fund::named::EntryCalled) -> Self {
        Self {
            text: called.text,
            login: String::new(),
            person: Some(called.person),
        }
    }
}

/// The names of everything some events speak of.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<(Noun, Uuid), Name>);

impl Names {
    /// Asks the domains for the names in these events.
    pub(super) fn ask(q: &dyn Query, events: &[Written]) -> Result<Self, StoreError> {
        let mut wanted: HashMap<Noun, BTreeSet<Uuid>> = HashMap::new();
        let mut want = |noun, id| {
            wanted.entry(noun).or_default().insert(id);
        };
        for event in events {
            event
                .actor_id
                .into_iter()
                .for_each(|id| want(Noun::Account, id));
            if let Some(noun) = Noun::of_table(&event.subject_table) {
                want(noun, event.subject_id);
            }
            for (noun, id) in fields::ids(event) {
                want(noun, id);
            }
        }
        let mut names = Self::default();
        names.ask_in_two_steps(q, &mut wanted)?;
        for (noun, ids) in &wanted {
            let ids: Vec<Uuid> = ids.iter().copied().collect();
            names.keep_all(q, *noun, &ids)?;
        }
        Ok(names)
    }

    /// Accounts are named by their parties and drafts by their items, which are asked afterwards.
    fn ask_in_two_steps(
        &mut self,
        q: &dyn Query,
        wanted: &mut HashMap<Noun, BTreeSet<Uuid>>,
    ) -> Result<(), StoreError> {
        let take = |ids: Option<BTreeSet<Uuid>>| -> Vec<Uuid> {
            ids.unwrap_or_default().into_iter().collect()
        };
        let accounts = account::named::called(q, &take(wanted.remove(&Noun::Account)))?;
        let acted_for: BTreeSet<Uuid> = accounts.values().filter_map(|it| it.party).collect();
        let acted_for: Vec<Uuid> = acted_for.into_iter().collect();
        let parties = party::named::called(q, &acted_for)?;
        for (id, account) in accounts {
            let of = account.party.map(|party| parties.get(&party));
            let name = Name {
                text: match of {
                    None => account.name,
                    Some(party) => party.map_or_else(String::new, |party| party.name.clone()),
                },
                login: account.login,
                person: None,
            };
            self.0.insert((Noun::Account, id), name);
        }
        let drafts = casework::named::items_of_drafts(q, &take(wanted.remove(&Noun::Draft)))?;
        let for_items: BTreeSet<Uuid> = drafts.values().copied().collect();
        let for_items: Vec<Uuid> = for_items.into_iter().collect();
        let items = item::named::called(q, &for_items)?;
        for (id, item) in drafts {
            let name = items.get(&item).cloned().unwrap_or_default();
            self.0.insert((Noun::Draft, id), name.into());
        }
        Ok(())
    }

    fn keep_all(&mut self, q: &dyn Query, noun: Noun, ids: &[Uuid]) -> Result<(), StoreError> {
        match noun {
            // Asked in two steps.
            Noun::Account | Noun::Draft => {}
            Noun::Article => self.keep(noun, article::named::called(q, ids)?),
            Noun::Attachment => {
                let slots = attachment::slots_of(q, ids)?;
                let named = slots
                    .into_iter()
                    .map(|(id, slot)| (id, words::slot(&slot).to_owned()));
                self.keep(noun, named.collect());
            }
            Noun::BankAccount => self.keep(noun, party::named::bank_accounts_called(q, ids)?),
            Noun::Batch => self.keep(noun, fund::named::batches_called(q, ids)?),
            Noun::BatchEntry => self.keep(noun, fund::named::entries_called(q, ids)?),
            Noun::BudgetLine => self.keep(noun, fund::named::budgets_called(q, ids)?),
            Noun::Casework => self.keep(noun, casework::named::called(q, ids)?),
            Noun::Department => self.keep(noun, account::named::departments_called(q, ids)?),
            Noun::Item => self.keep(noun, item::named::called(q, ids)?),
            Noun::Notice => self.keep(noun, notice::named::called(q, ids)?),
            Noun::NoticeEntry => self.keep(noun, notice::named::lines_called(q, ids)?),
            Noun::Objection => self.keep(noun, notice::named::objections_called(q, ids)?),
            Noun::Party => self.keep(noun, party::named::called(q, ids)?),
            Noun::PaymentFile => self.keep(noun, fund::named::files_called(q, ids)?),
            Noun::Version => self.keep(noun, item::named::versions_called(q, ids)?),
        }
        Ok(())
    }

    fn keep<T: Into<Name>>(&mut self, noun: Noun, found: HashMap<Uuid, T>) {
        let named = found
            .into_iter()
            .map(|(id, name)| ((noun, id), name.into()));
        self.0.extend(named);
    }

    /// What a thing is called; nothing where nobody knows it.
    pub(super) fn of(&self, noun: Noun, id: Uuid) -> Option<&Name> {
        self.0.get(&(noun, id)).filter(|name| !name.text.is_empty())
    }
}
