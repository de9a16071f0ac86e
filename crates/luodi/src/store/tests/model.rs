//! Groups of commands, some of which fail halfway, against a model that runs them one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What one command does.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Opens an account; refused by the schema where there is one of this name.
    Open { name: u8, amount: i64 },
    /// Moves money; refused by the schema where it does not suffice, after half was done.
    Move { from: u8, to: u8, amount: i64 },
    /// Does half of something and then fails in its own way.
    Half { name: u8, how: How },
}

#[derive(Clone, Copy, Debug)]
enum How {
    Refuse,
    Panic,
    Swallow,
}

type Model = BTreeMap<u8, i64>;

impl Step {
    fn run(self, tx: &Tx<'_>) -> Result<(), StoreError> {
        match self {
            Self::Open { name, amount } => open_account(tx, &name.to_string(), amount).map(drop),
            Self::Move { from, to, amount } => {
                add(tx, to, amount)?;
                add(tx, from, -amount)
            }
            Self::Half { name, how } => {
                tx.execute("UPDATE bank_account SET amount_fen = 0", params![])?;
                match how {
                    How::Refuse => Err(StoreError::NotFound("refused".into())),
                    How::Panic => panic!("by intent"),
                    How::Swallow => {
                        let _ = add(tx, name, i64::from(i32::MIN));
                        let _ = tx.execute("SELECT nothing FROM nowhere", params![]);
                        Ok(())
                    }
                }
            }
        }
    }

    /// The same on the model; says whether it succeeds.
    fn model(self, model: &mut Model) -> bool {
        match self {
            Self::Open { name, amount } => {
                let fresh = !model.contains_key(&name);
                if fresh {
                    model.insert(name, amount);
                }
                fresh
            }
            Self::Move { from, to, amount } => {
                let mut after = model.clone();
                let given = after.get_mut(&to).map(|it| *it += amount).is_some();
                let taken = after.get_mut(&from).is_some_and(|it| {
                    *it -= amount;
                    *it >= 0
                });
                if given && taken {
                    *model = after;
                }
                given && taken
            }
            Self::Half { .. } => false,
        }
    }
}

fn add(tx: &Tx<'_>, name: u8, amount: i64) -> Result<(), StoreError> {
    let changed = tx.execute(
        "UPDATE bank_account SET amount_fen = amount_fen + ?1 WHERE name = ?2",
        params![amount, name.to_string()],
    )?;
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound(name.to_string()))
    }
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..5_u8;
    let how = prop_oneof![Just(How::Refuse), Just(How::Panic), Just(How::Swallow)];
    prop_oneof![
        3 => (name(), 0..100_i64).prop_map(|(name, amount)| Step::Open { name, amount }),
        4 => (name(), name(), 0..80_i64)
            .prop_map(|(from, to, amount)| Step::Move { from, to, amount }),
        2 => (name(), how).prop_map(|(name, how)| Step::Half { name, how }),
    ]
}

fn check(groups: Vec<Vec<Step>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let bank = Bank::new();
    let mut model = Model::new();
    for group in groups {
        let closures = group
            .iter()
            .map(|step| {
                let step = *step;
                Box::new(move |tx: &Tx<'_>| step.run(tx)) as Closure
            })
            .collect();
        let answers = runtime.block_on(bank.one_group(closures));
        for (step, answer) in group.into_iter().zip(answers) {
            assert_eq!(
                answer.is_ok(),
                step.model(&mut model),
                "{step:?}: {answer:?}"
            );
        }
        let held: Vec<(String, i64)> = model
            .iter()
            .map(|(name, amount)| (name.to_string(), *amount))
            .collect();
        assert_eq!(bank.balances(), held);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn groups_equal_the_serial_model(
        groups in prop::collection::vec(prop::collection::vec(step(), 1..12), 1..6)
    ) {
        check(groups);
    }
}
