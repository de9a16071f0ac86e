//! Properties of FEEL: arithmetic against integers, logic against its tables, ranges against
//! comparisons, and a parser that takes any text.

use proptest::prelude::*;

use super::{
    Context, Number, Round, Scope, Type, Value, equal, order, parse_expression, parse_unary_tests,
};

fn scaled(units: i64, scale: u32) -> Number {
    Number::from_parts(
        units < 0,
        u128::from(units.unsigned_abs()),
        -i32::try_from(scale).unwrap(),
    )
    .unwrap()
}

/// `units / 10^scale` as plain text.
fn plain(units: i128, scale: u32) -> String {
    let power = 10u128.pow(scale);
    let (whole, fraction) = (units.unsigned_abs() / power, units.unsigned_abs() % power);
    let text = format!("{whole}.{fraction:0width$}", width = scale as usize);
    let text = if scale == 0 {
        whole.to_string()
    } else {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if units < 0 && text != "0" {
        format!("-{text}")
    } else {
        text
    }
}

fn evaluate(text: &str) -> Value {
    parse_expression(text, &Scope::new())
        .unwrap()
        .evaluate(&Context::new())
        .value
}

fn three_valued() -> impl Strategy<Value = Option<bool>> {
    prop_oneof![Just(None), Just(Some(true)), Just(Some(false))]
}

fn literal(value: Option<bool>) -> &'static str {
    match value {
        None => "null",
        Some(true) => "true",
        Some(false) => "false",
    }
}

proptest! {
    #[test]
    fn sums_and_products_are_exact(a in any::<i64>(), b in any::<i64>(), s in 0u32..18, t in 0u32..18) {
        let (x, y) = (scaled(a, s), scaled(b, t));
        let scale = s.max(t);
        let lift = |units: i64, from: u32| i128::from(units) * 10i128.pow(scale - from);
        prop_assert_eq!(x.checked_add(y).unwrap().to_string(), plain(lift(a, s) + lift(b, t), scale));
        prop_assert_eq!(x.checked_sub(y).unwrap().to_string(), plain(lift(a, s) - lift(b, t), scale));
        prop_assert_eq!(x.checked_mul(y).unwrap().to_string(), plain(i128::from(a) * i128::from(b), s + t));
        prop_assert_eq!(x.cmp(&y), lift(a, s).cmp(&lift(b, t)));
    }

    #[test]
    fn quotients_of_products_come_back(a in any::<i64>(), b in any::<i32>().prop_filter("zero", |b| *b != 0)) {
        let (x, y) = (Number::from(a), Number::from(b));
        prop_assert_eq!(x.checked_mul(y).unwrap().checked_div(y).unwrap(), x);
    }

    #[test]
    fn quotients_are_rounded_half_even(a in 1i64..1_000_000_000, b in 1i64..1_000_000_000) {
        let (_, coefficient, scale) = Number::from(a).checked_div(Number::from(b)).unwrap().parts();
        prop_assume!(scale >= 0);
        // Long division to as many digits as the quotient has.
        let (a, b) = (u128::from(a.unsigned_abs()), u128::from(b.unsigned_abs()));
        let (mut digits, mut rest) = (a / b, a % b);
        for _ in 0..scale {
            digits = digits * 10 + rest * 10 / b;
            rest = rest * 10 % b;
        }
        let up = rest * 2 > b || (rest * 2 == b && digits % 2 == 1);
        prop_assert_eq!(coefficient, digits + u128::from(up));
        prop_assert!(rest == 0 || coefficient >= 10u128.pow(37));
    }

    #[test]
    fn products_beyond_the_digits_are_rounded_half_even(a in any::<u64>(), b in any::<u64>(), c in 1u64..1_000_000) {
        // a·b has up to 39 digits; times c it must be cut, at most half a unit away.
        let wide = u128::from(a).checked_mul(u128::from(b)).and_then(|p| Number::from_parts(false, p, 0));
        let Some(wide) = wide else { return Ok(()) };
        let product = wide.checked_mul(Number::from(i64::try_from(c).unwrap())).unwrap();
        let (_, coefficient, scale) = product.parts();
        let (_, factor, factor_scale) = wide.parts();
        prop_assume!(scale < factor_scale);
        let unit = 10u128.pow(u32::try_from(factor_scale - scale).unwrap());
        // factor·c = coefficient·unit + rest, in two halves because it exceeds 128 bits.
        let (high, low) = ((factor >> 64) * u128::from(c), (factor & u128::from(u64::MAX)) * u128::from(c));
        let whole = (high / unit, high % unit);
        let low_sum = (whole.1 << 64) + low;
        let (digits, rest) = ((whole.0 << 64) + low_sum / unit, low_sum % unit);
        let up = rest * 2 > unit || (rest * 2 == unit && digits % 2 == 1);
        prop_assert_eq!(coefficient, digits + u128::from(up));
    }

    #[test]
    fn rounding_agrees_with_integers(units in any::<i64>(), scale in 0u32..10, keep in 0u32..10) {
        let number = scaled(units, scale);
        let rounded = |mode| number.round_to(i32::try_from(keep).unwrap(), mode).unwrap().to_string();
        if keep >= scale {
            prop_assert_eq!(rounded(Round::HalfUp), plain(i128::from(units), scale));
        } else {
            let unit = 10i128.pow(scale - keep);
            let floor = i128::from(units).div_euclid(unit);
            let rest = i128::from(units).rem_euclid(unit);
            let ceiling = floor + i128::from(rest > 0);
            let nearest = |tie: i128| match (rest * 2).cmp(&unit) {
                std::cmp::Ordering::Less => floor,
                std::cmp::Ordering::Equal => tie,
                std::cmp::Ordering::Greater => floor + 1,
            };
            let away = if units < 0 { floor } else { floor + 1 };
            let even = if floor % 2 == 0 { floor } else { floor + 1 };
            prop_assert_eq!(rounded(Round::Floor), plain(floor, keep));
            prop_assert_eq!(rounded(Round::Ceiling), plain(ceiling, keep));
            prop_assert_eq!(rounded(Round::Down), plain(if units < 0 { ceiling } else { floor }, keep));
            prop_assert_eq!(rounded(Round::Up), plain(if units < 0 { floor } else { ceiling }, keep));
            prop_assert_eq!(rounded(Round::HalfUp), plain(nearest(away), keep));
            prop_assert_eq!(rounded(Round::HalfEven), plain(nearest(even), keep));
        }
    }

    #[test]
    fn numbers_read_back(units in any::<i64>(), scale in 0u32..18) {
        let number = scaled(units, scale);
        prop_assert_eq!(Number::parse(&number.to_string()), Some(number));
        prop_assert_eq!(evaluate(&number.to_string()), Value::Number(number));
    }

    #[test]
    fn three_valued_logic_follows_its_tables(a in three_valued(), b in three_valued()) {
        let text = |operator: &str| evaluate(&format!("{} {operator} {}", literal(a), literal(b))).as_bool();
        let and = match (a, b) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        let or = match (a, b) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        };
        prop_assert_eq!(text("and"), and);
        prop_assert_eq!(text("or"), or);
        prop_assert_eq!(evaluate(&format!("not({})", literal(a))).as_bool(), a.map(|a| !a));
    }

    #[test]
    fn ranges_agree_with_comparisons(
        value in -20i64..20,
        low in -20i64..20,
        high in -20i64..20,
        open in any::<bool>(),
        close in any::<bool>(),
    ) {
        let (start, end) = (if open { "(" } else { "[" }, if close { ")" } else { "]" });
        let range = format!("{start}{low}..{high}{end}");
        let (above, below) = (if open { ">" } else { ">=" }, if close { "<" } else { "<=" });
        let compared = evaluate(&format!("{value} {above} {low} and {value} {below} {high}"));
        prop_assert_eq!(&evaluate(&format!("{value} in {range}")), &compared);
        prop_assert_eq!(&evaluate(&format!("includes({range}, {value})")), &compared);
        let tests = parse_unary_tests(&range, &Scope::new(), &Type::Number).unwrap();
        let met = tests.meets(&Value::from(value), &Scope::new(), &Context::new());
        prop_assert_eq!(met, compared.as_bool());
        let negated = parse_unary_tests(&format!("not({range})"), &Scope::new(), &Type::Number).unwrap();
        let met = negated.meets(&Value::from(value), &Scope::new(), &Context::new());
        prop_assert_eq!(met, compared.as_bool().map(|met| !met));
    }

    #[test]
    fn order_and_equality_agree(a in any::<i64>(), b in any::<i64>()) {
        let (x, y) = (Value::from(a), Value::from(b));
        prop_assert_eq!(order(&x, &y).map(|o| o.is_eq()), equal(&x, &y));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        let _ = parse_expression(&text, &Scope::new().with("甲 乙"));
        let _ = parse_unary_tests(&text, &Scope::new(), &Type::Any);
    }

    #[test]
    fn any_run_of_tokens_is_read_or_refused(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "1", "x", "甲 乙", "(", ")", "[", "]", "{", "}", ":", ",", "..", ".", "+", "-", "*", "**", "<", ">=",
                "=", "in", "and", "or", "not", "if", "then", "else", "for", "return", "some", "satisfies",
                "function", "instance of", "number", "\"t\"", "@\"P1D\"", "between", "null", "?", "sort", "item",
            ]),
            0..20,
        )
    ) {
        let text = parts.join(" ");
        if let Ok(expression) = parse_expression(&text, &Scope::new().with("x").with("甲 乙")) {
            let _ = expression.evaluate(&Context::new());
        }
        let _ = parse_unary_tests(&text, &Scope::new().with("x"), &Type::Any);
    }
}
