//! The form of a task: what it holds of a person is sealed like the application, and read by whoever
//! may read that.

use axum::http::StatusCode;
use luodi::access::Actor;
use luodi::item;
use luodi::store::Value;
use uuid::Uuid;
use vocab::RegionCode;

use super::race::waiting;
use crate::support::{TestCity, morning};

/// Publishes the item with the findings of an inspection marked as personal; gives its hash.
async fn publish_marked(city: &TestCity) -> String {
    let store = city.app.store.clone();
    let published = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("package");
        item::export_folder(&store, "pv-subsidy", &place).unwrap();
        let form = place.join("forms/inspection.json");
        let text = std::fs::read_to_string(&form).unwrap();
        let mut schema: serde_json::Value = serde_json::from_str(&text).unwrap();
        let fields = schema["components"].as_array_mut().unwrap();
        let findings = fields.iter_mut().find(|field| field["key"] == "findings");
        findings.unwrap()["properties"] = serde_json::json!({ "luodi.class": "health" });
        std::fs::write(&form, schema.to_string()).unwrap();
        let actor = Actor::console("test", RegionCode::parse("330300").unwrap());
        item::publish_folder(&store, morning(), &actor, &place).unwrap()
    });
    let report = published.await.unwrap();
    assert!(report.ok, "{report}");
    report.hash
}

#[tokio::test]
async fn personal_values_of_a_task_are_sealed() {
    const FINDING: &str = "户主行动不便，由家属陪同核查";
    let city = TestCity::open();
    let hash = publish_marked(&city).await;
    let (case, task) = waiting(&city, "inspect", "330382").await;
    let id = Uuid::parse_str(&case).unwrap();
    let sql = "UPDATE casework SET item_hash = ?1 WHERE id = ?2";
    city.force(sql, vec![Value::from(hash), id.into()]).await;
    let colleague = city
        .id("SELECT id FROM account WHERE login = 'handler3-yq'")
        .await;
    let kw = format!(
        "SELECT text_value FROM case_value WHERE name = 'filed_kw' AND case_id = X'{case}'"
    );
    let kw = city.texts(&kw).await.remove(0);
    let mut officer = city.log_in("handler1-yq").await;
    let page = officer.get(&format!("/cases/{case}")).await;
    let fields = [
        ("version", "1"),
        ("action", "pass"),
        ("inspected_on", "2026-11-20"),
        ("measured_kw", kw.as_str()),
        ("findings", FINDING),
        ("second_officer", colleague.as_str()),
    ];
    let path = format!("/cases/{case}/tasks/{task}");
    let done = officer.upload_from(&page, &path, &fields, &[]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    for sql in [
        format!("SELECT data FROM task WHERE id = X'{task}'"),
        format!("SELECT finding || data FROM inspection WHERE case_id = X'{case}'"),
    ] {
        let stored = city.texts(&sql).await;
        assert!(
            stored[0].contains("\"sealed\"") && !stored[0].contains(FINDING),
            "{stored:?}"
        );
    }
    // The page masks it, and shows it for a reason.
    let page = officer.get(&format!("/cases/{case}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        !page.says(FINDING) && page.says("结论与发现"),
        "{}",
        page.text()
    );
}
