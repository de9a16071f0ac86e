//! What reading accepts, keeps and refuses.

use super::*;
use crate::finding::Severity;
use crate::notation::xml;

/// Findings as `code element line:column`, errors marked `!`.
fn codes(xml: &str) -> Vec<String> {
    let parsed = parse(xml);
    let is_refused = parsed
        .findings
        .iter()
        .any(|found| found.severity == Severity::Error);
    assert_eq!(
        parsed.definition.is_none(),
        is_refused,
        "{:#?}",
        parsed.findings
    );
    for found in &parsed.findings {
        assert!(
            !found.message_en.is_empty() && !found.message_zh.is_ascii(),
            "{found:?}"
        );
    }
    let show = |found: &Finding| {
        let mark = if found.severity == Severity::Error {
            "!"
        } else {
            ""
        };
        format!(
            "{mark}{} {}",
            found.code,
            found.element.as_deref().unwrap_or("-")
        )
    };
    parsed.findings.iter().map(show).collect()
}

fn check_model(model: &str, expected: &[&str]) {
    assert_eq!(codes(&xml(model)), expected, "{model}");
}

/// Wraps the elements of a process that already has `start`, `task a` and `end`, connected.
fn with(elements: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:l="https://luodi.dev/bpmn" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0">
<bpmn:process id="p" name="办理" l:stage="全程">
<bpmn:startEvent id="s"/><bpmn:userTask id="a"/><bpmn:endEvent id="e"/>
<bpmn:sequenceFlow id="s-a" sourceRef="s" targetRef="a"/><bpmn:sequenceFlow id="a-e" sourceRef="a" targetRef="e"/>
{elements}
</bpmn:process>
</bpmn:definitions>"#
    )
}

fn check(elements: &str, expected: &[&str]) {
    assert_eq!(codes(&with(elements)), expected, "{elements}");
}

#[test]
fn a_file_that_is_no_model_is_refused_as_a_whole() {
    let check = |xml: &str, expected: &str| assert_eq!(codes(xml), [expected], "{xml:.60}");
    check("", "!bpmn-not-xml -");
    check("<a><b></a>", "!bpmn-not-xml -");
    check(
        "<!DOCTYPE x [<!ENTITY e 'e'>]><x>&e;</x>",
        "!bpmn-not-xml -",
    );
    check("<definitions/>", "!bpmn-not-bpmn -");
    check(
        r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" id="d"/>"#,
        "!bpmn-no-process d",
    );
    check(
        &format!("<a>{}</a>", " ".repeat(MAX_BYTES)),
        "!bpmn-too-large -",
    );
    check(
        &format!("<a {}/>", "b='' ".repeat(MAX_ATTRIBUTES + 1)),
        "!bpmn-too-large -",
    );
    check(
        &"<a xmlns:b='c'>".repeat(MAX_NAMESPACE_DECLARATIONS + 1),
        "!bpmn-too-large -",
    );
    let deep = "<a>".repeat(150_000) + &"</a>".repeat(150_000);
    check(&deep, "!bpmn-not-bpmn -");
}

#[test]
fn too_many_elements_are_refused() {
    let many = (0..=MAX_NODES).map(|n| format!(r#"<bpmn:userTask id="t{n}"/>"#));
    let parsed = parse(&with(&many.collect::<String>()));
    assert!(parsed.definition.is_none());
    assert!(
        parsed
            .findings
            .iter()
            .any(|found| found.code == "bpmn-too-large")
    );
    assert!(parsed.findings.len() <= MAX_FINDINGS + 1);
}

#[test]
fn what_cannot_be_executed_is_refused_by_name() {
    for tag in [
        "task",
        "scriptTask",
        "sendTask",
        "receiveTask",
        "callActivity",
        "subProcess",
        "transaction",
        "adHocSubProcess",
        "eventBasedGateway",
        "complexGateway",
        "intermediateThrowEvent",
        "intermediateCatchEvent",
        "choreographyTask",
    ] {
        let model = format!("start s\n{tag} x\nend e\ns -> x -> e");
        let found = parse(&xml(&model)).findings;
        let named = found
            .iter()
            .find(|found| found.element.as_deref() == Some("x"));
        let named = named.unwrap_or_else(|| panic!("{tag}: {found:#?}"));
        assert_eq!(named.code, "bpmn-unsupported-element");
        assert!(
            named.message_zh.contains(tag) && named.message_en.contains(tag),
            "{named:?}"
        );
        assert!(named.message_en.contains("allowed"), "{named:?}");
    }
}

#[test]
fn a_refused_node_is_not_blamed_for_anything_else() {
    check_model(
        "start s\nsubProcess x\nuser a\nend e\ns -> x -> a -> e",
        &["!bpmn-unsupported-element x"],
    );
}

#[test]
fn events_of_other_kinds_are_refused() {
    let event = |tag: &str, inside: &str| {
        let xml = with(&format!(
            r#"<bpmn:{tag} id="x" attachedToRef="a">{inside}</bpmn:{tag}>"#
        ));
        let found = parse(&xml).findings;
        let first = found
            .iter()
            .find(|found| found.code == "bpmn-unsupported-element");
        first
            .map(|found| found.message_en.clone())
            .unwrap_or_default()
    };
    let message = event("startEvent", "<bpmn:messageEventDefinition/>");
    assert!(
        message.starts_with("startEvent (messageEventDefinition) is not"),
        "{message}"
    );
    let error = event("endEvent", "<bpmn:errorEventDefinition/>");
    assert!(
        error.starts_with("endEvent (errorEventDefinition) is not"),
        "{error}"
    );
    let signal = event("boundaryEvent", "<bpmn:signalEventDefinition/>");
    assert!(
        signal.starts_with("boundaryEvent (signalEventDefinition) is not"),
        "{signal}"
    );
    let both = "<bpmn:timerEventDefinition/><bpmn:messageEventDefinition/>";
    let several = event("intermediateCatchEvent", both);
    assert!(
        several.contains("timerEventDefinition + messageEventDefinition"),
        "{several}"
    );
    let none = event("boundaryEvent", "");
    assert!(none.starts_with("boundaryEvent (none) is not"), "{none}");
}

#[test]
fn markers_and_attributes_that_change_a_task_are_refused() {
    let task = |attributes: &str, inside: &str| {
        format!(
            r#"<bpmn:sequenceFlow id="a-b" sourceRef="a" targetRef="b"/>
            <bpmn:userTask id="b" {attributes}>{inside}</bpmn:userTask>
            <bpmn:sequenceFlow id="b-e" sourceRef="b" targetRef="e"/>"#
        )
    };
    let marker = "!bpmn-unsupported-element b";
    check(
        &task("", "<bpmn:multiInstanceLoopCharacteristics/>"),
        &[marker],
    );
    check(
        &task("", r#"<bpmn:standardLoopCharacteristics id="loop"/>"#),
        &["!bpmn-unsupported-element loop"],
    );
    check(
        &task(r#"isForCompensation="true""#, ""),
        &["!bpmn-unsupported-attribute b"],
    );
    check(
        &task(r#"startQuantity="2""#, ""),
        &["!bpmn-unsupported-attribute b"],
    );
    check(
        &task(r#"startQuantity="1""#, "<bpmn:ioSpecification/>"),
        &["bpmn-element-ignored b"],
    );
    check(
        &task("", "<bpmn:documentation>x</bpmn:documentation><l:any/>"),
        &[],
    );
}

#[test]
fn nodes_must_hang_together() {
    check_model("user a\nend e\na -> e", &["!bpmn-no-start p"]);
    check_model(
        "start s\nuser a\ns -> a",
        &["!bpmn-no-end p", "bpmn-implicit-end a"],
    );
    check_model(
        "start s t\nend e\ns -> e\nt -> e",
        &["!bpmn-several-starts t"],
    );
    check_model(
        "start s\nuser a\nend e\ns -> e\na -> e",
        &["!bpmn-unreachable a"],
    );
    check_model(
        "start s\nuser a b\nend e\ns -> e\na -> b -> a\nb -> e",
        &["!bpmn-unreachable a", "!bpmn-unreachable b"],
    );
    check_model(
        "start s\nend e\ns -> e\ns -> gone",
        &["!bpmn-flow-to-nowhere s>gone"],
    );
    check_model(
        "start s\nuser a\nend e\ns -> a -> e\na -> s",
        &["!bpmn-flow-into-start a>s"],
    );
    check_model(
        "start s\nuser a\nend e\ns -> a -> e -> a",
        &["!bpmn-flow-out-of-end e>a"],
    );
    check_model(
        "start s s\nend e\ns -> e",
        &[
            "bpmn-implicit-end s",
            "!bpmn-id-duplicate s",
            "!bpmn-several-starts s",
        ],
    );
    check(
        "<bpmn:userTask/>",
        &[
            "!bpmn-id-missing -",
            "bpmn-implicit-end -",
            "!bpmn-unreachable -",
        ],
    );
}

#[test]
fn boundary_events_sit_on_tasks() {
    let model = |host: &str| {
        format!("start s\nuser a\nxor g\nend e\nreminding t {host} P1D\ns -> a -> g -> e\nt -> e")
    };
    check_model(&model("a"), &[]);
    check_model(&model("g"), &["!bpmn-boundary-on-nothing t"]);
    check_model(&model("nowhere"), &["!bpmn-boundary-on-nothing t"]);
    check_model(
        "start s\nuser a\nend e\nreminding t a P1D\ns -> a -> e\nt -> e\na -> t",
        &["!bpmn-flow-into-boundary a>t"],
    );
}

#[test]
fn gateways_say_how_they_choose() {
    let model = |rest: &str| format!("start s\nuser a\nxor g\nend e f\ns -> a -> g\n{rest}");
    check_model(&model("g -> e : x\ng -> f : *"), &[]);
    check_model(&model("g -> e : x\ng -> f : y"), &["bpmn-no-default g"]);
    check_model(
        &model("g -> e : x\ng -> f"),
        &["!bpmn-condition-missing g>f"],
    );
    check_model(
        &model("g -> e\ng -> f"),
        &["!bpmn-condition-missing g>e", "!bpmn-condition-missing g>f"],
    );
    check_model(
        "start s\nand g\nend e f\ns -> g\ng -> e : x\ng -> f",
        &["!bpmn-condition-not-allowed g>e"],
    );
    check_model(
        "start s\nend e\ns -> e : x",
        &["!bpmn-condition-not-allowed s>e"],
    );
    let wide: String = (0..17)
        .map(|n| format!("end e{n}\ng -> e{n} : c{n}\n"))
        .collect();
    check_model(
        &format!("start s\nor g\ns -> g\n{wide}"),
        &["bpmn-no-default g", "!bpmn-too-many-conditions g"],
    );
}

#[test]
fn defaults_name_a_flow_of_their_node() {
    let gateway = |default: &str| {
        format!(
            r#"<bpmn:sequenceFlow id="a-g" sourceRef="a" targetRef="g"/>
            <bpmn:exclusiveGateway id="g" default="{default}"/>
            <bpmn:sequenceFlow id="g-a" sourceRef="g" targetRef="a"><bpmn:conditionExpression>x</bpmn:conditionExpression></bpmn:sequenceFlow>
            <bpmn:sequenceFlow id="g-e" sourceRef="g" targetRef="e"><bpmn:conditionExpression>y</bpmn:conditionExpression></bpmn:sequenceFlow>"#
        )
    };
    check(&gateway("g-e"), &["bpmn-condition-on-default g-e"]);
    check(&gateway("p:g-a"), &["bpmn-condition-on-default g-a"]);
    check(&gateway("s-a"), &["!bpmn-default-unknown g"]);
}

#[test]
fn conditions_are_feel() {
    let gateway = |condition: &str| {
        let xml = with(&format!(
            r#"<bpmn:sequenceFlow id="a-g" sourceRef="a" targetRef="g"/>
            <bpmn:exclusiveGateway id="g"/>
            <bpmn:sequenceFlow id="g-e" sourceRef="g" targetRef="e">{condition}</bpmn:sequenceFlow>"#
        ));
        let flow = parse(&xml)
            .definition
            .and_then(|d| d.flows().last().cloned());
        (codes(&xml), flow.and_then(|flow| flow.condition))
    };
    let check = |condition: &str, code: &[&str], text: Option<&str>| {
        let (codes, found) = gateway(condition);
        assert_eq!(
            (codes, found.as_deref()),
            (code.iter().map(|c| c.to_string()).collect(), text)
        );
    };
    let no_default = ["bpmn-no-default g"];
    check(
        "<bpmn:conditionExpression xsi:type='bpmn:tFormalExpression'> = 面积 &gt; 3 </bpmn:conditionExpression>",
        &no_default,
        Some("面积 > 3"),
    );
    check(
        "<bpmn:conditionExpression language='https://www.omg.org/spec/DMN/20191111/FEEL/'><![CDATA[a < {b: 1}.b]]></bpmn:conditionExpression>",
        &no_default,
        Some("a < {b: 1}.b"),
    );
    let refused = ["!bpmn-condition-language g-e", "bpmn-no-default g"];
    let refused = |condition| {
        let (mut found, _) = gateway(condition);
        found.sort();
        assert_eq!(found, refused, "{condition}");
    };
    refused("<bpmn:conditionExpression>${approved}</bpmn:conditionExpression>");
    refused("<bpmn:conditionExpression language='javascript'>x</bpmn:conditionExpression>");
    check(
        "<bpmn:conditionExpression> = </bpmn:conditionExpression>",
        &["!bpmn-condition-empty g-e"],
        None,
    );
}

#[test]
fn timers_state_one_time() {
    let timer = |on_event: &str, on_definition: &str, inside: &str| {
        let xml = with(&format!(
            r#"<bpmn:boundaryEvent id="t" attachedToRef="a" {on_event}><bpmn:timerEventDefinition {on_definition}>{inside}</bpmn:timerEventDefinition></bpmn:boundaryEvent>
            <bpmn:sequenceFlow id="t-e" sourceRef="t" targetRef="e"/>"#
        ));
        match parse(&xml).definition {
            Some(definition) => {
                format!("{:?}", definition.node("t").unwrap().kind.timer().unwrap())
            }
            None => codes(&xml).join(", "),
        }
    };
    let check = |found: String, expected: &str| assert_eq!(found, expected);
    let days = r#"l:workingDays="15""#;
    check(timer("", days, ""), "WorkingDays(15)");
    check(timer(days, "", ""), "WorkingDays(15)");
    check(
        timer("", "", "<bpmn:timeDuration>P1DT2H</bpmn:timeDuration>"),
        "Duration(IsoDuration { months: 0, days: 1, seconds: 7200 })",
    );
    check(
        timer("", "", "<bpmn:timeDate>2026-03-01</bpmn:timeDate>"),
        "Date(2026-03-01T00:00:00)",
    );
    check(timer("", "", ""), "!bpmn-timer-missing t");
    check(
        timer("", r#"workingDays="15""#, ""),
        "!bpmn-timer-missing t",
    );
    check(timer(days, days, ""), "!bpmn-timer-ambiguous t");
    check(
        timer("", r#"l:workingDays="0""#, ""),
        "!bpmn-timer-unknown t",
    );
    check(
        timer("", "", "<bpmn:timeDuration>soon</bpmn:timeDuration>"),
        "!bpmn-timer-unknown t",
    );
    check(
        timer("", "", "<bpmn:timeCycle>R/P1D</bpmn:timeCycle>"),
        "!bpmn-unsupported-element t",
    );
}

#[test]
fn findings_say_where() {
    let found = parse(&with("\n  <bpmn:subProcess id=\"x\"/>")).findings;
    let first = found.first().unwrap();
    assert_eq!(
        (first.line, first.column, first.code),
        (9, 3, "bpmn-unsupported-element")
    );
    let definition = parse(&with("")).definition.unwrap();
    let task = definition.node("a").unwrap();
    assert_eq!((task.line, task.column), (6, 26));
}

#[test]
fn extensions_of_others_that_say_the_same_are_understood() {
    let attributes = |attributes: &str, inside: &str| {
        let xml = with(&format!(
            r#"<bpmn:sequenceFlow id="a-b" sourceRef="a" targetRef="b"/>
            <bpmn:businessRuleTask id="b" {attributes}><bpmn:extensionElements>{inside}<other xmlns="x"/></bpmn:extensionElements></bpmn:businessRuleTask>
            <bpmn:sequenceFlow id="b-e" sourceRef="b" targetRef="e"/>"#
        ));
        let definition = parse(&xml).definition.unwrap();
        let node = definition.node("b").unwrap();
        let pairs = node
            .attributes
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join(" ")
    };
    let check = |found: String, expected: &str| assert_eq!(found, expected);
    check(
        attributes(r#"l:role="审核人" l:stage="会审" l:promised="5""#, ""),
        "promised=5 role=审核人 stage=会审",
    );
    check(
        attributes(r#"camunda:candidateGroups="clerk" camunda:formKey="f""#, ""),
        "form=f role=clerk",
    );
    check(
        attributes(r#"camunda:candidateGroups="clerk" l:role="lead""#, ""),
        "role=lead",
    );
    check(
        attributes(
            "",
            r#"<zeebe:assignmentDefinition candidateGroups="clerk"/><zeebe:calledDecision decisionId="amount"/><zeebe:taskDefinition type="pay"/>"#,
        ),
        "decision=amount role=clerk service=pay",
    );
    assert_eq!(
        parse(&with(""))
            .definition
            .unwrap()
            .attributes()
            .get("stage")
            .unwrap(),
        "全程"
    );
}

#[test]
fn pools_and_lanes_are_kept_as_names() {
    let xml = with(
        r#"<bpmn:laneSet id="ls"><bpmn:lane id="l1" name="局"><bpmn:flowNodeRef>s</bpmn:flowNodeRef><bpmn:flowNodeRef>a</bpmn:flowNodeRef>
        <bpmn:childLaneSet id="cs"><bpmn:lane id="l2" name="窗口"><bpmn:flowNodeRef>a</bpmn:flowNodeRef></bpmn:lane></bpmn:childLaneSet></bpmn:lane></bpmn:laneSet>"#,
    )
    .replace(" name=\"办理\"", "")
    .replace(
        "</bpmn:process>",
        r#"</bpmn:process><bpmn:collaboration id="c"><bpmn:participant id="pool" name="招商局" processRef="p"/><bpmn:participant id="o"/><bpmn:messageFlow id="m" sourceRef="o" targetRef="a"/></bpmn:collaboration>"#,
    );
    assert_eq!(codes(&xml), ["bpmn-element-ignored m"]);
    let definition = parse(&xml).definition.unwrap();
    let lane = |id: &str| {
        definition
            .node(id)
            .unwrap()
            .lane
            .clone()
            .unwrap_or_default()
    };
    assert_eq!(
        (definition.name(), lane("s"), lane("a"), lane("e")),
        ("招商局", "局".to_owned(), "窗口".to_owned(), String::new())
    );
}

#[test]
fn a_second_process_is_refused() {
    let xml = with("").replace(
        "</bpmn:process>",
        r#"</bpmn:process><bpmn:process id="q"/>"#,
    );
    assert_eq!(codes(&xml), ["!bpmn-several-processes q"]);
}

#[test]
fn the_drawing_begins_at_the_origin_and_keeps_what_cannot_run() {
    let diagram = r#"</bpmn:process><di:BPMNDiagram xmlns:di="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:w="http://www.omg.org/spec/DD/20100524/DI"><di:BPMNPlane>
        <di:BPMNShape bpmnElement="s"><dc:Bounds x="100" y="-20" width="36" height="36"/></di:BPMNShape>
        <di:BPMNShape bpmnElement="a"><dc:Bounds x="200" y="-42" width="100" height="80"/></di:BPMNShape>
        <di:BPMNShape bpmnElement="sub"><dc:Bounds x="200" y="100" width="100" height="80"/></di:BPMNShape>
        <di:BPMNShape bpmnElement="bad"><dc:Bounds x="NaN" y="100" width="100" height="80"/></di:BPMNShape>
        <di:BPMNEdge bpmnElement="s-a"><w:waypoint x="136" y="-2"/><w:waypoint x="200" y="-2"/><di:BPMNLabel><dc:Bounds x="150" y="0" width="20" height="14"/></di:BPMNLabel></di:BPMNEdge>
        </di:BPMNPlane></di:BPMNDiagram>"#;
    let xml =
        with(r#"<bpmn:subProcess id="sub" name="会审"/>"#).replace("</bpmn:process>", diagram);
    let parsed = parse(&xml);
    assert!(parsed.definition.is_none());
    let found: Vec<_> = parsed.findings.iter().map(|found| found.code).collect();
    assert_eq!(
        found,
        [
            "bpmn-not-drawn",
            "bpmn-unsupported-element",
            "bpmn-implicit-end",
            "bpmn-unreachable",
            "bpmn-shape-unreadable",
        ]
    );
    let drawn = parsed.diagram;
    assert_eq!((drawn.width, drawn.height), (220.0, 242.0));
    let shown = |id: &str| {
        let shape = drawn.shape(id).unwrap();
        (
            shape.bounds.x,
            shape.bounds.y,
            shape.tag.clone(),
            shape.name.clone(),
        )
    };
    assert_eq!(
        shown("s"),
        (10.0, 32.0, "startEvent".to_owned(), String::new())
    );
    assert_eq!(
        shown("sub"),
        (110.0, 152.0, "subProcess".to_owned(), "会审".to_owned())
    );
    let edge = drawn.edges.first().unwrap();
    assert_eq!(
        (
            edge.waypoints[0].x,
            edge.waypoints[1].y,
            edge.label.unwrap().x
        ),
        (46.0, 50.0, 60.0)
    );
}
