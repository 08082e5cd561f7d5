//! Requests for a provider, from turns that other formats were read into.

use serde_json::{Value, json};

use crate::dialect::codec::Destination;
use crate::dialect::loss::Losses;
use crate::dialect::responses::write_request;
use crate::dialect::turn::{
    Arguments, Effort, Form, Media, Message, Part, Reasoning, Role, Source, Text, Thinking, Tool,
    ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::policy::model::ProviderKind;
use crate::wire::json::Writer;

fn written(
    turn: &Turn<'_>,
    kind: ProviderKind,
    model: &str,
) -> Result<(Value, Vec<String>), String> {
    let mut losses = Losses::default();
    let mut out = Vec::new();
    let to = Destination {
        kind,
        model,
        max_output: None,
    };
    write_request(turn, &to, &mut losses, &mut Writer::new(&mut out))
        .map_err(|it| it.field.into_owned())?;
    Ok((
        serde_json::from_slice(&out).unwrap(),
        losses.iter().map(str::to_owned).collect(),
    ))
}

fn text(text: &str) -> Part<'_> {
    Part::Text(Text::new(text))
}

fn image(url: &str) -> Part<'_> {
    Part::Image(Media {
        source: Source::of_url(url).unwrap(),
        name: None,
        detail: None,
        cache: false,
    })
}

fn said(role: Role, parts: Vec<Part<'_>>) -> Message<'_> {
    Message { role, parts }
}

fn result(parts: Vec<Part<'_>>, is_error: bool) -> Part<'_> {
    Part::ToolResult(ToolResult {
        id: "c".into(),
        name: "f".into(),
        parts,
        is_error,
        cache: false,
    })
}

#[test]
fn a_conversation() {
    let long = "x".repeat(65);
    let (request, lost) = written(&conversation(&long), ProviderKind::OpenAi, "gpt-4.1").unwrap();
    let call = crate::dialect::ids::fitted(&long, crate::dialect::ids::IdForm::Responses);
    assert_eq!(
        request,
        json!({
            "model": "gpt-4.1",
            "input": [
                {"role": "system", "content": [{"type": "input_text", "text": "Be brief."}, {"type": "input_text", "text": "Be kind."}]},
                {"role": "user", "content": [
                    {"type": "input_text", "text": "Look:"},
                    {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"}]},
                {"role": "assistant", "content": [
                    {"type": "output_text", "text": "One"}, {"type": "refusal", "refusal": "not two"}]},
                {"type": "function_call", "call_id": call, "name": "f", "arguments": "{\"x\":"},
                {"type": "function_call_output", "call_id": call, "output": "Error: "},
                {"role": "user", "content": "Go on"},
                {"role": "system", "content": "At length."},
            ],
            "store": false, "stream": true,
        })
    );
    assert_eq!(lost, ["cache_control", "messages[].reasoning_content"]);
}

fn conversation(long: &str) -> Turn<'_> {
    Turn {
        system: vec![
            text("Be brief."),
            Part::Text(Text {
                text: "Be kind.".into(),
                cache: true,
            }),
        ],
        messages: vec![
            said(
                Role::User,
                vec![text("Look:"), image("data:image/png;base64,AAAA")],
            ),
            said(
                Role::Assistant,
                vec![
                    Part::Reasoning(Reasoning {
                        text: "Hm.".into(),
                        signature: Some("s".into()),
                        redacted: false,
                    }),
                    text("One"),
                    Part::Refusal("not two".into()),
                    Part::ToolCall(ToolCall {
                        id: long.into(),
                        name: "f".into(),
                        arguments: Arguments::Text("{\"x\":".into()),
                        signature: Some("s".into()),
                    }),
                ],
            ),
            said(
                Role::User,
                vec![
                    Part::ToolResult(ToolResult {
                        id: long.into(),
                        name: "f".into(),
                        parts: vec![],
                        is_error: true,
                        cache: false,
                    }),
                    text("Go on"),
                ],
            ),
            said(Role::System, vec![text("At length.")]),
        ],
        stream: true,
        ..Turn::default()
    }
}

#[test]
fn settings() {
    let turn = Turn {
        messages: vec![said(Role::User, vec![text("Hi")])],
        tools: vec![Tool {
            name: "f",
            description: Some("does"),
            schema: None,
            strict: None,
            cache: true,
        }],
        tool_choice: Some(ToolChoice::Named("f")),
        parallel_tools: Some(false),
        max_tokens: Some(1),
        temperature: Some(0.5),
        top_k: Some(3),
        stop: vec!["\n"],
        seed: Some(1),
        presence_penalty: Some(0.5),
        form: Form::Json,
        thinking: Some(Thinking {
            effort: None,
            budget: Some(1 << 20),
            shown: true,
        }),
        user: Some("u"),
        ..Turn::default()
    };
    let (request, lost) = written(&turn, ProviderKind::OpenAi, "gpt-5-mini").unwrap();
    assert_eq!(
        request,
        json!({
            "model": "gpt-5-mini", "input": [{"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "name": "f", "description": "does",
                       "parameters": {"type": "object", "properties": {}}, "strict": false}],
            "tool_choice": {"type": "function", "name": "f"}, "parallel_tool_calls": false,
            "max_output_tokens": 16, "text": {"format": {"type": "json_object"}},
            "reasoning": {"effort": "xhigh", "summary": "auto"}, "user": "u", "store": false,
        })
    );
    assert_eq!(
        lost,
        [
            "cache_control",
            "max_tokens",
            "temperature",
            "presence_penalty",
            "top_k",
            "seed",
            "stop"
        ]
    );

    let (request, lost) = written(&turn, ProviderKind::Xai, "grok-4.3").unwrap();
    assert_eq!(request["max_output_tokens"], 1);
    assert_eq!(request["temperature"], 0.5);
    assert_eq!(request["reasoning"]["effort"], "high");
    assert_eq!(
        lost,
        ["cache_control", "presence_penalty", "top_k", "seed", "stop"]
    );

    let minimal = Turn {
        thinking: Some(Thinking {
            effort: Some(Effort::Minimal),
            ..Thinking::default()
        }),
        ..Turn::default()
    };
    let effort = |kind| written(&minimal, kind, "m").unwrap().0["reasoning"].clone();
    assert_eq!(effort(ProviderKind::OpenAi), json!({"effort": "minimal"}));
    assert_eq!(effort(ProviderKind::Xai), json!({"effort": "low"}));
}

/// Results with pictures: as they are at OpenAI, behind the results at xAI, which takes texts only.
#[test]
fn pictures_in_results() {
    let turn = Turn {
        messages: vec![said(
            Role::User,
            vec![
                result(vec![text("Here:"), image("https://x/y.png")], true),
                result(vec![text("a"), text("b")], false),
            ],
        )],
        ..Turn::default()
    };
    let input = |kind| written(&turn, kind, "m").unwrap().0["input"].clone();
    let picture = json!({"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"});
    assert_eq!(
        input(ProviderKind::OpenAi),
        json!([
            {"type": "function_call_output", "call_id": "c", "output": [
                {"type": "input_text", "text": "Error:"}, {"type": "input_text", "text": "Here:"}, picture]},
            {"type": "function_call_output", "call_id": "c", "output": "a\nb"},
        ])
    );
    assert_eq!(
        input(ProviderKind::Xai),
        json!([
            {"type": "function_call_output", "call_id": "c", "output": "Error: Here:"},
            {"type": "function_call_output", "call_id": "c", "output": "a\nb"},
            {"role": "user", "content": [picture]},
        ])
    );
}

#[test]
fn files_and_recordings() {
    let media = |source: Source<'static>| Media {
        source,
        name: None,
        detail: None,
        cache: false,
    };
    let turn = |part: Part<'static>| Turn {
        messages: vec![said(Role::User, vec![part])],
        ..Turn::default()
    };
    let content = |part: Part<'static>| {
        written(&turn(part), ProviderKind::OpenAi, "m")
            .map(|(request, _)| request["input"][0]["content"][0].clone())
    };
    assert_eq!(
        content(Part::Document(media(
            Source::of_url("data:application/pdf;base64,AAAA").unwrap()
        )))
        .unwrap(),
        json!({"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,AAAA"})
    );
    assert_eq!(
        content(Part::Document(media(
            Source::of_url("https://x/y.pdf").unwrap()
        )))
        .unwrap(),
        json!({"type": "input_file", "file_url": "https://x/y.pdf"})
    );
    assert_eq!(
        content(Part::Document(media(Source::Text("words".into())))).unwrap(),
        json!({"type": "input_text", "text": "words"})
    );
    assert_eq!(
        content(Part::Audio(media(
            Source::of_url("data:audio/wav;base64,AAAA").unwrap()
        )))
        .unwrap_err(),
        "audio"
    );
    assert_eq!(
        content(Part::Image(media(Source::Text("words".into())))).unwrap_err(),
        "image"
    );
}
