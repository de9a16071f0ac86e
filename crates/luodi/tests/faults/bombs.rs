//! Small files that are meant to become large or deep: every place that reads what others wrote
//! refuses them with a sentence, within bounds of memory, and lives.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{logged_in, memory_mib, verify};
use crate::support::http::{Client, Server};
use crate::support::{Ground, PAPERS, good_application};

/// Deeper than any stack.
const DEEP: usize = 200_000;
/// What a command may use of addresses, in KiB: a reader without bounds goes far beyond.
const ADDRESSES_KIB: u64 = 2_500_000;

/// The package of the repository.
fn package() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let city = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../city");
    for part in ["items/pv-subsidy", "policies/pv-subsidy"] {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(city.join(part))
            .arg({
                let to = folder.path().join(part);
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                to
            })
            .status();
        assert!(copied.unwrap().success());
    }
    let item = folder.path().join("items/pv-subsidy");
    (folder, item)
}

/// Runs the binary with a bound on its addresses.
fn bounded(args: &[&str]) -> Output {
    let script = format!("ulimit -v {ADDRESSES_KIB}; exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_luodi")])
        .args(args)
        .env("LUODI_LOG", "error")
        .output()
        .unwrap()
}

/// `item check` finds something wrong in that file and says so in Chinese.
#[track_caller]
fn refused(item: &Path, file: &str, what: &str) {
    let out = bounded(&["item", "check", item.to_str().unwrap(), "--json"]);
    let said = String::from_utf8_lossy(&out.stdout);
    let err = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{what}: {said} {err}");
    let report: Value = serde_json::from_str(&said).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let named = findings.iter().find(|it| it["file"] == file);
    let named = named.or_else(|| findings.iter().find(|it| it["file"] == ""));
    let named = named.unwrap_or_else(|| panic!("{what}: {said}"));
    let message = named["message"].as_str().unwrap();
    assert!(message.chars().any(|c| c > '\u{4e00}'), "{what}: {message}");
    assert!(message.chars().count() < 500, "{what}: {message}");
}

fn laughs() -> String {
    let mut text = String::from("<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [<!ENTITY a0 \"哈\">");
    for n in 1..40 {
        let before = format!("&a{};", n - 1).repeat(10);
        text += &format!("<!ENTITY a{n} \"{before}\">");
    }
    text + "]>\n<definitions>&a39;</definitions>"
}

#[test]
fn packages_that_blow_up_are_findings() {
    let (_folder, item) = package();
    let fine = bounded(&["item", "check", item.to_str().unwrap()]);
    assert_eq!(fine.status.code(), Some(0));
    let nested = |open: &str, close: &str| open.repeat(DEEP) + &close.repeat(DEEP);
    let policy = item.join("../../policies/pv-subsidy/policy.dmn");
    let dmn = std::fs::read_to_string(&policy).unwrap();
    let expression = |text: &str| {
        let (before, rest) = dmn.split_once("<text>").unwrap();
        let (_, after) = rest.split_once("</text>").unwrap();
        format!("{before}<text>{text}</text>{after}")
    };
    let bombs = [
        ("process.bpmn", "entities", laughs()),
        ("process.bpmn", "depth", nested("<a>", "</a>")),
        ("process.bpmn", "size", " ".repeat(3 << 20)),
        (
            "process.bpmn",
            "attributes",
            format!(
                "<a {}/>",
                (0..100_000)
                    .map(|n| format!("a{n}='' "))
                    .collect::<String>()
            ),
        ),
        ("form.json", "depth", nested("[", "]")),
        ("form.json", "depth of objects", nested("{\"a\":", "}")),
        (
            "form.json",
            "size",
            format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20)),
        ),
        ("item.toml", "depth", format!("a = {}", nested("[", "]"))),
        (
            "item.toml",
            "keys",
            format!("{} = 1", vec!["a"; DEEP].join(".")),
        ),
        ("policy/policy.dmn", "entities", laughs()),
        ("policy/policy.dmn", "depth", nested("<a>", "</a>")),
        (
            "policy/policy.dmn",
            "parentheses",
            expression(&nested("(", ")")),
        ),
        ("policy/policy.dmn", "lists", expression(&nested("[", "]"))),
        (
            "policy/policy.dmn",
            "conditions",
            expression(&format!("{}1", "if true then 1 else ".repeat(DEEP))),
        ),
        (
            "policy/policy.dmn",
            "signs",
            expression(&format!("{}1", "-".repeat(DEEP))),
        ),
        (
            "policy/policy.dmn",
            "powers",
            expression(&format!("1{}", "**1".repeat(DEEP))),
        ),
        (
            "policy/policy.dmn",
            "paths",
            expression(&format!("a{}", ".a".repeat(DEEP))),
        ),
        (
            "policy/policy.dmn",
            "functions",
            expression(&format!("{}1", "function(x) ".repeat(DEEP))),
        ),
    ];
    for (file, what, text) in bombs {
        let path = match file.strip_prefix("policy/") {
            Some(name) => policy.with_file_name(name),
            None => item.join(file),
        };
        let good = std::fs::read(&path).unwrap();
        std::fs::write(&path, text).unwrap();
        refused(&item, file, &format!("{file}: {what}"));
        std::fs::write(&path, good).unwrap();
    }
    // Too large together, and too many.
    std::fs::write(item.join("documents/large.html"), vec![b'x'; 5 << 20]).unwrap();
    refused(&item, "", "a file of 5 MiB");
    std::fs::remove_file(item.join("documents/large.html")).unwrap();
    for n in 0..80 {
        std::fs::write(item.join(format!("documents/{n}.html")), "x").unwrap();
    }
    refused(&item, "", "80 files");
}

/// A picture of 2.5 gigapixels in a few kilobytes, by its head and by its content.
fn picture() -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8], bytes: &[u8]| {
        file.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(bytes);
        file.extend_from_slice(kind);
        file.extend_from_slice(bytes);
        file.extend_from_slice(&sum.sum().to_be_bytes());
    };
    let size = 50_000_u32.to_be_bytes();
    chunk(b"IHDR", &[&size[..], &size[..], &[8, 2, 0, 0, 0]].concat());
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; 8 << 20]).unwrap();
    chunk(b"IDAT", &packed.finish().unwrap());
    chunk(b"IEND", b"");
    file
}

/// Papers are told by their first bytes and never unpacked; JSON has a bound on its depth, and forms
/// one on their fields.
#[test]
fn what_visitors_send_is_never_unpacked() {
    let city = Ground::demo_in_a_file();
    let server = Server::start(&city.environment(), &["--no-work"]);
    let mut applicant = logged_in(&server, "applicant");
    let before = memory_mib(&server);
    let items = applicant.get("/items").unwrap();
    let path = format!("/items/{}/apply", items.between("href=\"/items/", "\""));
    let page = applicant.get(&path).unwrap();
    let mut fields = good_application();
    fields.push(("action", "save"));
    let picture = picture();
    let mut papers = PAPERS.to_vec();
    papers[0] = ("filing_notice", "filing.png", &picture);
    let saved = applicant
        .upload_from(&page, &path, &fields, &papers)
        .unwrap();
    assert!([200, 303].contains(&saved.status), "{}", saved.body);

    // What is no picture by its content is named with its field and rule.
    let packed = {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&vec![0; 16 << 20]).unwrap();
        packed.finish().unwrap()
    };
    papers[0] = ("filing_notice", "filing.pdf", &packed);
    let page = applicant.get(&path).unwrap();
    let refused = applicant
        .upload_from(&page, &path, &fields, &papers)
        .unwrap();
    assert_eq!(refused.status, 422, "{}", refused.body);
    let said = "id=\"error-filing_notice\" data-rule=\"file-content\"";
    assert!(refused.body.contains(said), "{}", refused.body);

    let many: Vec<(String, String)> = (0..5_000).map(|n| (format!("f{n}"), "x".into())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let refused = applicant.post(&path, &many).unwrap();
    assert!((400..500).contains(&refused.status), "{}", refused.body);
    let mut program = Client::new(server.address);
    for text in ["[".repeat(DEEP), "{\"a\":".repeat(DEEP), "9".repeat(DEEP)] {
        let refused = program.post_json("/api/session", &text).unwrap();
        assert!((400..500).contains(&refused.status), "{}", refused.body);
        let problem: Value = serde_json::from_str(&refused.body).unwrap();
        assert!(problem["message"].as_str().unwrap().chars().count() > 5);
    }
    let grown = memory_mib(&server).saturating_sub(before);
    assert!(grown < 100, "{grown} MiB");
    server.kill();
    verify(city.data());
}

/// A backup in which a part of a table unpacks to a gigabyte of one line is damaged, and says so.
#[test]
fn a_backup_that_blows_up_is_refused() {
    let city = Ground::demo_in_a_file();
    let file = city.beside().join("whole.tar");
    let data = city.data().to_str().unwrap();
    let made = bounded(&["--data", data, "backup", file.to_str().unwrap()]);
    assert_eq!(made.status.code(), Some(0));
    let whole = std::fs::read(&file).unwrap();
    // The last entry, the hash of everything before it, is four blocks.
    let (body, tail) = whole.split_at(whole.len() - 4 * 512);
    // One mebibyte, packed as a block that stands for itself and so can stand there as often as one
    // likes: a head, a thousand blocks, and an end that nobody reaches.
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(b"0").unwrap();
    packed.flush().unwrap();
    let mut file = packed.get_ref().clone();
    let head = file.len();
    packed.write_all(&vec![b'0'; 1 << 20]).unwrap();
    packed.flush().unwrap();
    let block = packed.get_ref()[head..].to_vec();
    for _ in 0..1_024 {
        file.extend_from_slice(&block);
    }
    let packed = file;
    let mut header = tar::Header::new_ustar();
    header.set_path("tables/city/000009.jsonl.gz").unwrap();
    header.set_size(packed.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    let mut bomb = [body, header.as_bytes(), &packed].concat();
    bomb.resize(bomb.len().next_multiple_of(512), 0);
    let sum: String = Sha256::digest(&bomb)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let mut end = tail.to_vec();
    end[512..576].copy_from_slice(sum.as_bytes());
    bomb.extend_from_slice(&end);
    let path = city.beside().join("bomb.tar");
    std::fs::write(&path, bomb).unwrap();
    let empty = city.beside().join("elsewhere");
    std::fs::create_dir(&empty).unwrap();
    let args = [
        "--data",
        empty.to_str().unwrap(),
        "restore",
        path.to_str().unwrap(),
    ];
    let out = bounded(&args);
    let err = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{err}");
    assert!(err.contains("city") && err.contains("清单"), "{err}");
    assert!(!empty.join("luodi.db").exists());
}
