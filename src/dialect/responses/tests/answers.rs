//! Answers in one piece: read from the recordings, and written.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Meaning, any_json, recordings, reply, with_tree};
use crate::dialect::codec::Reply;
use crate::dialect::recorded::RecordedBody;
use crate::dialect::responses::{echo, read_answer, write_answer};
use crate::dialect::turn::Finish;
use crate::wire::json::Writer;

/// Thoughts, words and calls by their first letters; why it ended; input, of it from the cache, output, of it thoughts.
const WHOLE: &[(&str, &str)] = &[
    (
        "azure/azure-responses-reasoning-context-default-wire-contract-gpt-5-5",
        "sealed text(Paris) | Stop | 18/0 16/9",
    ),
    (
        "azure/responses-protocol-dialects-with-azure-gpt-5-nano-round-trips-tool-cal",
        "sealed call(weather {\"latitude\":\"52.5200\",\"longitude\":\"13.4050\"}) | ToolCalls | 85/0 123/64",
    ),
    (
        "openai-responses/agent-with-web-search-tool-spans-1",
        "text(Here are some re) | Stop | 319/0 650/0",
    ),
    (
        "openai-responses/caching-multi-turn-conversation-openai-gpt-4o-responses-1",
        "text(\"I have altered ) | Stop | 3763/3584 44/0",
    ),
    (
        "openai-responses/function-calling-openai-gpt-5-nano-can-handle-multiple-tool-call-2",
        "sealed call(dice_roll {}) | ToolCalls | 1542/1408 30/0",
    ),
    (
        "openai-responses/multimodal-tool-return-matrix-direct-url-document-openai-respons-1",
        "sealed text(I retrieved a fi) | Stop | 848/0 480/320",
    ),
    (
        "openai-responses/multimodal-tool-return-matrix-direct-url-image-openai-responses-1",
        "sealed text(I retrieved an i) | Stop | 276/0 512/256",
    ),
    (
        "openai-responses/multiple-tools",
        "call(get_temperature {\"location\":\"San Francisco\"}) call(get_humidity {\"location\":\"San Francisco\"}) | ToolCalls | 149/0 48/0",
    ),
    (
        "openai-responses/openai-responses-prompt-cache-e2e-1",
        "text(OK) | Stop | 4020/4012 5/0",
    ),
    (
        "openai-responses/responses-interleaved-reasoning-between-tool-calls-3",
        "sealed call(db_lookup {\"key\":\"begin\"}) call(db_lookup {\"key\":\"value\"}) call(db_lookup {\"key\":\"the value 7\"}) call(db_lookup {\"key\":\"Begin with the value 7.\"}) call(db_lookup {\"key\":\"start2\"}) | ToolCalls | 532/0 119/17",
    ),
    (
        "openai-responses/web-search-agent-run-in-workflow",
        "sealed sealed sealed text(Severe floods an) | Stop | 12594/3200 1150/1088",
    ),
    (
        "xai/agent-tool-sessions-long-history-replay-with-tool-result-continuation",
        "thought(The user asks: \") text(Your favorite co) | Stop | 359/128 210/189",
    ),
    (
        "xai/extractor-extractor-smoke",
        "thought(The task is to e) call(submit {\"first_name\":\"Ada\",\"last_name\":\"Lovelace\",\"job\":\"mathematician\"}) | ToolCalls | 362/192 183/154",
    ),
    (
        "xai/function-calling-xai-grok-4-1-fast-non-reasoning-can-handle-multiple-t",
        "thought(The user said: \") proof call(dice_roll {}) call(dice_roll {}) call(dice_roll {}) | ToolCalls | 303/128 272/257",
    ),
    (
        "xai/multimodal-tool-attachments-xai-grok-4-1-fast-non-reasoning-desc-1",
        "thought(The tool returne) proof text(The returned ima) | Stop | 631/192 223/159",
    ),
    (
        "xai/web-search-with-xai-grok-4-3-replays-search-turns-so-the-conversation",
        "thought(The question is:) proof sealed sealed sealed text(**The latest sta) | Stop | 5689/2048 444/245",
    ),
    (
        "xai/with-extended-thinking-xai-grok-3-mini-preserves-thinking-signatures-b",
        "thought(The question is ) proof text(**8**) | Stop | 200/128 192/189",
    ),
    (
        "xai/with-params-xai-grok-4-1-fast-non-reasoning-supports-response-format-p",
        "thought(The task is: \"Wh) proof text({\n  \"result\": 8\n) | Stop | 232/192 300/291",
    ),
    (
        "xai/with-schema-with-xai-grok-4-1-fast-non-reasoning-accepts-a-json-schema",
        "thought(The user query i) proof text({\"name\":\"John\",\") | Stop | 254/192 221/212",
    ),
];

#[test]
fn recorded_answers_mean_what_they_say() {
    let mut found = Vec::new();
    for recorded in recordings() {
        let RecordedBody::Whole(body) = &recorded.body else {
            continue;
        };
        if recorded.status == 200 {
            let body: Value = serde_json::from_slice(body).unwrap();
            let meaning = with_tree(&body, |body| Meaning::of(&read_answer(body).unwrap()));
            found.push((recorded.name.clone(), told(&meaning)));
        }
    }
    let expected: Vec<_> = WHOLE
        .iter()
        .map(|&(name, told)| (name.to_owned(), told.to_owned()))
        .collect();
    assert_eq!(found, expected);
}

pub(super) fn told(meaning: &Meaning) -> String {
    let said: Vec<_> = meaning
        .said
        .iter()
        .map(|(kind, text)| match *kind {
            "sealed" | "proof" => (*kind).to_owned(),
            "call" => format!("call({})", text.split_once(' ').unwrap().1),
            _ => format!("{kind}({})", text.chars().take(16).collect::<String>()),
        })
        .collect();
    let usage = meaning.usage.unwrap_or_default();
    format!(
        "{} | {:?} | {}/{} {}/{}",
        said.join(" "),
        meaning.finish.unwrap(),
        usage.input,
        usage.cache_read,
        usage.output,
        usage.reasoning
    )
}

#[test]
fn what_is_written_reads_as_it_was() {
    for recorded in recordings() {
        let RecordedBody::Whole(body) = &recorded.body else {
            continue;
        };
        if recorded.status != 200 {
            continue;
        }
        let body: Value = serde_json::from_slice(body).unwrap();
        let (before, written) = with_tree(&body, |body| {
            let answer = read_answer(body).unwrap();
            (Meaning::of(&answer), write(&answer, &reply()))
        });
        let after = with_tree(&written, |body| Meaning::of(&read_answer(body).unwrap()));
        assert_eq!(after, before.without_seals(), "{}", recorded.name);
        // What SDKs demand: oai-py's `Response` and the schema of Vercel's.
        for key in [
            "id",
            "object",
            "created_at",
            "status",
            "model",
            "output",
            "parallel_tool_calls",
            "tool_choice",
            "tools",
        ] {
            assert!(!written[key].is_null(), "{key}");
        }
    }
}

fn write(answer: &crate::dialect::turn::Answer<'_>, reply: &Reply) -> Value {
    let mut out = Vec::new();
    write_answer(answer, reply, &mut Writer::new(&mut out));
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn an_answer_as_it_is_written() {
    let body = json!({
        "id": "x", "model": "m-1", "status": "completed",
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}, {"type": "summary_text", "text": "Ah."}],
             "encrypted_content": "of another provider"},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "Hello"}, {"type": "refusal", "refusal": "but no"}]},
            {"type": "function_call", "call_id": "", "name": "f", "arguments": ""},
            {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** Begin\n"},
        ],
        "usage": {"input_tokens": 7, "input_tokens_details": {"cached_tokens": 161},
                  "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 9}},
    });
    let asked = json!({
        "instructions": "Be brief.", "metadata": {"k": "v"}, "tool_choice": "required", "temperature": 0.5,
        "tools": [{"type": "custom", "name": "patch"}, {"type": "function", "name": "f", "parameters": {}}],
    });
    let reply = Reply {
        echo: with_tree(&asked, echo),
        ..reply()
    };
    let written = with_tree(&body, |body| write(&read_answer(body).unwrap(), &reply));
    assert_eq!(
        written,
        json!({
            "id": "resp_0k7q", "object": "response", "created_at": 1_790_000_000, "status": "completed", "background": false,
            "error": null, "incomplete_details": null, "model": "m-1",
            "output": [
                {"id": "rs_sw_0k7q_0", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm.\n\nAh."}]},
                {"id": "msg_0k7q_1", "type": "message", "status": "completed", "role": "assistant", "content": [
                    {"type": "output_text", "annotations": [], "logprobs": [], "text": "Hello"},
                    {"type": "refusal", "refusal": "but no"}]},
                {"id": "fc_0k7q_2", "type": "function_call", "status": "completed",
                 "call_id": crate::dialect::ids::made_up("0k7q", 0, crate::dialect::ids::IdForm::Responses),
                 "name": "f", "arguments": "{}"},
                {"id": "ctc_0k7q_3", "type": "custom_tool_call", "status": "completed", "call_id": "c2", "name": "patch",
                 "input": "*** Begin\n"},
            ],
            "previous_response_id": null, "store": false, "truncation": "disabled",
            "instructions": "Be brief.", "max_output_tokens": null, "max_tool_calls": null, "metadata": {"k": "v"},
            "parallel_tool_calls": true, "reasoning": {"effort": null, "summary": null}, "temperature": 0.5,
            "text": {"format": {"type": "text"}}, "tool_choice": "required", "tools": asked["tools"], "top_p": null,
            "user": null,
            // 161 of 7 from the cache: recorded at Azure.
            "usage": {"input_tokens": 7, "input_tokens_details": {"cached_tokens": 7, "cache_write_tokens": 0}, "output_tokens": 5,
                      "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 12},
        })
    );
}

#[test]
fn how_answers_end() {
    let of = |status: Value, details: Value| {
        let body = json!({"status": status, "incomplete_details": details, "output": []});
        with_tree(&body, |body| {
            read_answer(body).map(|answer| answer.finish).ok()
        })
    };
    for (status, details, finish) in [
        (json!("completed"), Value::Null, Some(Finish::Stop)),
        (Value::Null, Value::Null, Some(Finish::Stop)),
        (
            json!("incomplete"),
            json!({"reason": "max_output_tokens"}),
            Some(Finish::Length),
        ),
        (
            json!("incomplete"),
            json!({"reason": "content_filter"}),
            Some(Finish::ContentFilter),
        ),
        (
            json!("incomplete"),
            json!({"reason": "new"}),
            Some(Finish::Length),
        ),
        (json!("failed"), Value::Null, Some(Finish::Failed)),
        (json!("cancelled"), Value::Null, Some(Finish::Failed)),
        (json!("queued"), Value::Null, None),
        (json!("in_progress"), Value::Null, None),
        (json!("new"), Value::Null, None),
    ] {
        assert_eq!(of(status.clone(), details), finish, "{status}");
    }
    for body in [
        json!({}),
        json!([]),
        json!({"output": {}}),
        json!({"output": null}),
    ] {
        assert!(
            with_tree(&body, |body| read_answer(body).is_err()),
            "{body}"
        );
    }
}

#[test]
fn an_answer_that_was_cut_off_says_so() {
    for (status, reason) in [
        ("incomplete", "max_output_tokens"),
        ("incomplete", "content_filter"),
    ] {
        let body = json!({
            "status": status, "incomplete_details": {"reason": reason},
            "output": [
                {"type": "message", "content": [{"type": "output_text", "text": "One"}]},
                {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{\"x\":48151"},
            ],
        });
        let written = with_tree(&body, |body| write(&read_answer(body).unwrap(), &reply()));
        assert_eq!(written["status"], status);
        assert_eq!(written["incomplete_details"]["reason"], reason);
        assert_eq!(written["output"][0]["status"], "completed");
        assert_eq!(written["output"][1]["status"], "incomplete");
        assert_eq!(written["output"][1]["arguments"], "{\"x\":48151");
        assert_eq!(written["usage"], Value::Null);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reading_never_panics(body in any_json()) {
        let body = json!({"output": [body.clone(), {"type": "message", "content": body}], "usage": {"input_tokens": -1}});
        with_tree(&body, |body| {
            if let Ok(answer) = read_answer(body) {
                let written = write(&answer, &reply());
                assert_eq!(written["object"], "response");
            }
        });
    }
}
