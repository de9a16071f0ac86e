//! Pages per second of the release server, over kept connections on the loopback, asked by `wrk`
//! where it is installed and else by threads of this process. Both share the machine's cores with
//! the server. Answers are not compressed.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use luodi::ids::CaseId;

use crate::http::{Client, Server};
use crate::report::{Figure, Report, percentiles};
use crate::town::Visitor;

const CONNECTIONS: usize = 32;
const LONGEST: Duration = Duration::from_secs(5);
/// The most requests of one connection where there is no `wrk`.
const MOST: usize = 10_000;

pub fn measure(data: &Path, visitor: &Visitor, case: CaseId, report: &mut Report) {
    let server = Server::start(
        &[("LUODI_DATA", data.display().to_string())],
        &["--no-work"],
    );
    let mut client = Client::new(server.address);
    let list = client.get("/articles").unwrap();
    // Ids begin with their time, and that with 0 for some thousands of years.
    let article = format!("/articles/0{}", list.between("href=\"/articles/0", "\""));
    one(&mut client, "home page", "/", "<main", report);
    one(&mut client, "article", &article, "<article", report);
    client.log_in(&visitor.login, &visitor.password).unwrap();
    let case = format!("/cases/{case}");
    one(&mut client, "case page", &case, "data-case=", report);
    one(&mut client, "worklist", "/work", "<table", report);
}

fn one(client: &mut Client, name: &str, path: &str, has: &str, report: &mut Report) {
    let page = client.get(path).unwrap();
    assert_eq!(page.status, 200, "{path}: {}", page.body);
    assert!(page.body.contains(has), "{path} lacks {has}");
    let (per_second, latency) = wrk(client, path).unwrap_or_else(|| by_threads(client, path));
    let kib = page.body.len() / 1_024;
    let over = format!("{CONNECTIONS} connections, {kib} KiB a page");
    report.add(Figure {
        latency: Some(latency),
        ..Figure::new(name, over, per_second)
    });
}

type Measured = (f64, (Duration, Duration));

/// None where there is no `wrk`.
fn wrk(client: &Client, path: &str) -> Option<Measured> {
    let said = Command::new("wrk")
        .args(["--threads", "2", "--latency", "--timeout", "30s"])
        .args(["--connections", &CONNECTIONS.to_string()])
        .args(["--duration", &format!("{}s", LONGEST.as_secs())])
        .args([
            "--header",
            &format!("Cookie: {}", client.cookies.join("; ")),
        ])
        .arg(format!("http://{}{path}", client.address))
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "{said}"
    );
    let after = |name: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {said}")).trim()
    };
    let latency = (duration(after("50%")), duration(after("99%")));
    Some((after("Requests/sec:").parse().unwrap(), latency))
}

/// A time as `wrk` writes it: 812.00us, 1.23ms, 1.20s.
fn duration(text: &str) -> Duration {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap();
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => panic!("{text}"),
    };
    Duration::from_secs_f64(number.parse::<f64>().unwrap() * seconds)
}

fn by_threads(client: &Client, path: &str) -> Measured {
    let took = Mutex::new(Vec::new());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut own = Client::new(client.address);
                own.cookies = client.cookies.clone();
                for _ in 0..MOST {
                    let begun = Instant::now();
                    if begun.duration_since(started) > LONGEST {
                        break;
                    }
                    assert_eq!(own.get(path).unwrap().status, 200);
                    took.lock().unwrap().push(begun.elapsed());
                }
            });
        }
    });
    let took = took.into_inner().unwrap();
    let per_second = took.len() as f64 / started.elapsed().as_secs_f64();
    (per_second, percentiles(took))
}
