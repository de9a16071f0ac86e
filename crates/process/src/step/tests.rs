//! The token game by example: one model and its runs for each kind of node.

use crate::notation::check;

#[test]
fn a_sequence_runs_from_start_to_end() {
    check(
        "start s
         user a
         service b
         rule c
         end e
         s -> a -> b -> c -> e",
        "start => +a#1 | a#1
         a => !b#2 | b#2
         b => !c#3 | c#3
         c => .e over | ended",
    );
}

#[test]
fn inputs_that_do_not_fit_change_nothing() {
    check(
        "start s
         user a
         timer t P1D
         end e
         s -> a -> t -> e",
        "a => process-unknown-activity: activity 0 is not waiting any more; load the case again
         start => +a#1 | a#1
         start => process-already-started: the case has been started before; do not start it again
         #7 => process-unknown-activity: activity 7 is not waiting any more; load the case again
         a => ~t#2 | t#2
         #1 => process-unknown-activity: activity 1 is not waiting any more; load the case again
         complete t => process-wrong-input: activity 2 at \"t\" does not wait for this input; complete tasks, fire timers
         t => .e over | ended
         t => process-already-ended: the case is over; open a new one or reopen the decision
         start => process-already-ended: the case is over; open a new one or reopen the decision
         cancel => process-already-ended: the case is over; open a new one or reopen the decision",
    );
}

const CHOICE: &str = "start s
    user a b c d
    xor g m
    end e
    s -> a -> g
    g -> b : low
    g -> c : high
    g -> d : *
    b -> m -> e
    c -> m
    d -> m";

#[test]
fn an_exclusive_gateway_takes_the_first_condition_that_holds() {
    check(
        CHOICE,
        "start => +a#1 | a#1\na [high; low] => +b#2 | b#2\nb => .e over | ended",
    );
    check(
        CHOICE,
        "start => +a#1 | a#1\na [high] => +c#2 | c#2\nc => .e over | ended",
    );
    check(
        CHOICE,
        "start => +a#1 | a#1\na => +d#2 | d#2\nd => .e over | ended",
    );
}

#[test]
fn a_choice_without_answer_leaves_the_case_where_it_was() {
    let model = "start s
        user a b c
        xor g
        end e
        s -> a -> g
        g -> b : ok
        g -> c : broken
        b -> e
        c -> e";
    check(
        model,
        "start => +a#1 | a#1
         a => process-condition-failed: the condition on flow \"g>c\" out of \"g\" gave no answer: no such name; correct the data or the condition
         a [ok] => +b#2 | b#2",
    );
    check(
        &model.replace("broken", "other"),
        "start => +a#1 | a#1
         a => process-no-condition-held: no condition out of \"g\" holds and it has no default flow; correct the data or add a default
         a [other] => +c#2 | c#2",
    );
}

#[test]
fn a_correction_goes_back_as_often_as_needed() {
    check(
        "start s
         user accept correct decide
         xor g
         end e
         s -> accept -> g
         g -> correct : incomplete
         correct -> accept
         g -> decide : *
         decide -> e",
        "start => +accept#1 | accept#1
         accept [incomplete] => +correct#2 | correct#2
         correct => +accept#3 | accept#3
         accept [incomplete] => +correct#4 | correct#4
         correct => +accept#5 | accept#5
         accept => +decide#6 | decide#6
         decide => .e over | ended",
    );
}

#[test]
fn a_parallel_join_waits_for_every_way_in() {
    let model = "start s
        user a b c
        and f j
        end e
        s -> f
        f -> a -> j
        f -> b -> j
        j -> c -> e";
    check(
        model,
        "start => +a#1 +b#2 | a#1 b#2
         b => | a#1 <b>j>
         a => +c#3 | c#3
         c => .e over | ended",
    );
    check(
        model,
        "start => +a#1 +b#2 | a#1 b#2\na => | b#2 <a>j>\nb => +c#3 | c#3",
    );
}

#[test]
fn a_join_that_can_never_fill_is_stuck_and_says_so() {
    let model = "start s
        user a b
        xor g
        and j
        end e
        s -> g
        g -> a : left
        g -> b : *
        a -> j
        b -> j
        j -> e";
    check(model, "start [left] => +a#1 | a#1\na => | <a>j>");
    let definition = crate::notation::definition(model);
    let (started, _) = crate::notation::play(&definition, &crate::State::new(), "start").unwrap();
    assert!(!started.is_stuck());
    let (stuck, _) = crate::notation::play(&definition, &started, "b").unwrap();
    assert!(stuck.is_stuck() && !stuck.is_over());
    assert!(crate::enabled(&definition, &stuck).is_empty());
}

#[test]
fn several_flows_out_of_a_task_are_all_taken_unless_they_ask() {
    let open = "start s
        user a b c
        end e
        s -> a
        a -> b -> e
        a -> c -> e";
    check(
        open,
        "start => +a#1 | a#1
         a => +b#2 +c#3 | b#2 c#3
         c => .e | b#2
         b => .e over | ended",
    );
    let asking = "start s
        user a b c d
        end e
        s -> a
        a -> b : big
        a -> c
        a -> d : *
        b -> e
        c -> e
        d -> e";
    check(
        asking,
        "start => +a#1 | a#1\na [big] => +b#2 +c#3 | b#2 c#3",
    );
    check(asking, "start => +a#1 | a#1\na => +c#2 +d#3 | c#2 d#3");
}

const INCLUSIVE: &str = "start s
    user a b c d last
    or f j
    end e
    s -> f
    f -> a : x
    f -> b : y
    f -> c : *
    a -> j
    b -> d -> j
    c -> j
    j -> last -> e";

#[test]
fn an_inclusive_join_waits_for_what_was_sent() {
    check(INCLUSIVE, "start [x] => +a#1 | a#1\na => +last#2 | last#2");
    check(INCLUSIVE, "start => +c#1 | c#1\nc => +last#2 | last#2");
    check(
        INCLUSIVE,
        "start [x; y] => +a#1 +b#2 | a#1 b#2
         a => | b#2 <a>j>
         b => +d#3 | d#3 <a>j>
         d => +last#4 | last#4
         last => .e over | ended",
    );
}

#[test]
fn an_inclusive_join_knows_that_a_branch_went_elsewhere() {
    check(
        "start s
         user a b
         xor g
         or f j
         end e away
         s -> f
         f -> a : x
         f -> b : y
         a -> j
         b -> g
         g -> j : back
         g -> away : *
         j -> e",
        "start [x; y] => +a#1 +b#2 | a#1 b#2
         a => | b#2 <a>j>
         b => .away .e over | ended",
    );
}

#[test]
fn an_inclusive_join_waits_for_the_way_past_a_timer() {
    let model = "start s
        user a b late
        or f j
        interrupting t b P5D
        end e
        s -> f
        f -> a : x
        f -> b : y
        a -> j
        b -> j
        t -> late -> j
        j -> e";
    check(
        model,
        "start [x; y] => +a#1 +b#2 ~t#3@2 | a#1 b#2 t#3
         a => | b#2 t#3 <a>j>
         t => -b#2 +late#4 | late#4 <a>j>
         late => .e over | ended",
    );
}

#[test]
fn an_inclusive_join_waits_for_a_timer_that_has_not_begun() {
    check(
        "start s
         user a b c
         or f j
         interrupting t b P5D
         end e away
         s -> f
         f -> a : x
         f -> c : y
         a -> j
         c -> b -> away
         t -> j
         j -> e",
        "start [x; y] => +a#1 +c#2 | a#1 c#2
         a => | c#2 <a>j>
         c => +b#3 ~t#4@3 | b#3 t#4 <a>j>
         b => /t#4 .away .e over | ended",
    );
}

#[test]
fn an_inclusive_join_does_not_wait_for_what_may_as_well_come_where_it_has() {
    check(
        "start s
         user a b t last
         and p
         xor x g
         or f j
         end e
         s -> p
         p -> x -> f
         p -> t -> g
         g -> x : again
         g -> e : *
         f -> a : x
         f -> b : *
         a -> j
         b -> j
         j -> last -> e",
        "start [x] => +t#1 +a#2 | t#1 a#2
         a => +last#3 | t#1 last#3",
    );
}

#[test]
fn an_interrupting_timer_takes_the_task_away() {
    let model = "start s
        user a b late
        interrupting t a P5D
        interrupting u a P9D
        end e
        s -> a -> b -> e
        t -> late -> e
        u -> e";
    check(
        model,
        "start => +a#1 ~t#2@1 ~u#3@1 | a#1 t#2 u#3
         t => -a#1 /u#3 +late#4 | late#4
         a => process-unknown-activity: activity 0 is not waiting any more; load the case again
         late => .e over | ended",
    );
    check(
        model,
        "start => +a#1 ~t#2@1 ~u#3@1 | a#1 t#2 u#3\na => /t#2 /u#3 +b#4 | b#4",
    );
}

#[test]
fn a_reminding_timer_leaves_the_task() {
    check(
        "start s
         service a
         user remind
         reminding t a PT1H
         interrupting u a P9D
         end e
         s -> a -> e
         t -> remind -> e
         u -> e",
        "start => !a#1 ~t#2@1 ~u#3@1 | a#1 t#2 u#3
         t => +remind#4 | a#1 u#3 remind#4
         u => ?a#1 .e | remind#4
         remind => .e over | ended",
    );
}

#[test]
fn terminating_takes_everything_away() {
    check(
        "start s
         user a b
         reminding t a P1D
         service c
         and f
         terminate stop
         end e
         s -> f
         f -> a -> e
         f -> b -> stop
         f -> c -> e
         t -> e",
        "start => +a#1 ~t#2@1 +b#3 !c#4 | a#1 t#2 b#3 c#4
         b => .stop -a#1 /t#2 ?c#4 over! | ended",
    );
}

#[test]
fn cancelling_takes_everything_away_without_an_end() {
    let model = "start s
        user a
        reminding t a P1D
        end e
        s -> a -> e
        t -> e";
    check(
        model,
        "start => +a#1 ~t#2@1 | a#1 t#2\ncancel => -a#1 /t#2 | cancelled",
    );
    check(model, "cancel => | cancelled");
}

#[test]
fn a_branch_may_end_without_an_end_event() {
    check(
        "start s
         user a b
         and f
         end e
         s -> f
         f -> a -> e
         f -> b",
        "start => +a#1 +b#2 | a#1 b#2
         a => .e | b#2
         b => over | ended",
    );
}

#[test]
fn running_in_a_circle_is_an_error_that_names_it() {
    check(
        "start s
         user a
         xor g h
         end e
         s -> a -> g -> h
         h -> g : again
         h -> e : *",
        "start => +a#1 | a#1
         a [again] => process-unbounded: the model runs in a circle without a task or timer through [\"g\", \"h\"]; put one into the loop
         a => .e over | ended",
    );
}

#[test]
fn splitting_without_joining_is_bounded() {
    check(
        "start s
         user a b c d
         and f
         xor g
         end e
         s -> g -> f
         f -> g
         f -> a -> e
         f -> b -> e
         f -> c -> e
         f -> d -> e",
        "start => process-too-many-tokens: the case holds too many activities at once; look for a loop that splits without joining",
    );
}

#[test]
fn a_state_of_another_process_is_refused() {
    let small = crate::notation::definition("start s\nend e\nuser a\ns -> a -> e");
    let states = [
        r#"{"v":1,"phase":"running","next":1,"tokens":[9],"waiting":[]}"#,
        r#"{"v":1,"phase":"running","next":2,"tokens":[],"waiting":[[1,9]]}"#,
        r#"{"v":1,"phase":"running","next":2,"tokens":[],"waiting":[[1,0]]}"#,
        r#"{"v":1,"phase":"running","next":3,"tokens":[],"waiting":[[1,2],[2,2,1]]}"#,
    ];
    for text in states {
        let state: crate::State = serde_json::from_str(text).unwrap();
        let found = crate::notation::play(&small, &state, "a");
        assert_eq!(found.unwrap_err(), crate::StepError::ForeignState, "{text}");
    }
}
