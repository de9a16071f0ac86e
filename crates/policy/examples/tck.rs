//! Prints the passing cases of a DMN Technology Compatibility Kit folder, and what fails to stderr.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command line tool"
)]

#[path = "../tests/tck/mod.rs"]
mod tck;

fn main() -> std::process::ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: tck DIR");
        return std::process::ExitCode::FAILURE;
    };
    let outcomes = tck::run(std::path::Path::new(&folder));
    let (mut passed, failed): (Vec<_>, Vec<_>) =
        outcomes.into_iter().partition(|o| o.why.is_empty());
    passed.sort_by(|a, b| a.id.cmp(&b.id));
    for outcome in &failed {
        eprintln!("{}: {}", outcome.id, outcome.why);
    }
    for outcome in &passed {
        println!("{}", outcome.id);
    }
    eprintln!(
        "{} of {} cases pass",
        passed.len(),
        passed.len() + failed.len()
    );
    std::process::ExitCode::SUCCESS
}
