//! One record on its way through a mapping: what the model says, what is mapped, and the exact request.

use outflow_contract::outcome::{HttpRequest, Request};
use outflow_contract::plan::Mapping;
use outflow_contract::report::{Status, SyncReport};
use outflow_contract::secret::REDACTED;
use outflow_engine::try_one::{FieldOrigin, Tried};
use serde_json::{Value, json};

use super::cells::visible;
use super::{Console, Tone, bytes, preview, wrap};

/// Parts of the names of headers whose values are nobody's business, whatever they hold.
const PRIVATE: [&str; 8] = ["authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "credential"];

/// Names of fields are given so much room, at most.
const FIELD_WIDTH_MAX: usize = 32;

/// Record, fields, payload, request.
pub(crate) fn print(console: &Console, mapping: &Mapping, tried: &Tried, gateway: Option<&str>) {
    let op = tried.op.as_str();
    let what = format!("record {} of {}, {op}, to {} by {}", visible(&tried.id), mapping.model, mapping.destination, mapping.action);
    console.line(&format!("{}  {}", console.paint(Tone::Strong, &mapping.name), console.paint(Tone::Faint, &console.clean(&what))));
    title(console, "record");
    preview::record(console, &console.clean(&tried.record));
    let as_mapped = tried.request.as_ref().is_some_and(|request| carries_as_mapped(request, &tried.fields));
    if !tried.fields.is_empty() && !as_mapped {
        title(console, "fields");
        lines(console, &pretty(console, tried.fields.as_bytes()));
    }
    origins(console, tried);
    if value(&tried.fields) != value(&tried.payload) && !tried.payload.is_empty() {
        title(console, "payload");
        lines(console, &pretty(console, tried.payload.as_bytes()));
    }
    if let Some(carried) = &tried.request {
        let as_mapped = if as_mapped { console.paint(Tone::Faint, "  with the fields as they are mapped") } else { String::new() };
        console.line("");
        console.line(&format!("{}{as_mapped}", console.paint(Tone::Strong, "request")));
        request(console, carried, gateway);
    }
    let Some(refused) = &tried.refused else { return };
    title(console, "refused");
    for line in wrap(&visible(&format!("{} ({})", console.clean(&refused.message), refused.code)), console.width() - 2) {
        console.line(&format!("  {}", console.paint(Tone::Bad, &line)));
    }
    console.line("  A run leaves such a record out, says so, and tries it again every time.");
}

/// Field by field, where each value comes from.
fn origins(console: &Console, tried: &Tried) {
    if tried.origins.is_empty() {
        return;
    }
    title(console, "where each field comes from");
    let name_width = tried.origins.iter().map(|origin| origin.field.chars().count()).max().unwrap_or(0).min(FIELD_WIDTH_MAX);
    for origin in &tried.origins {
        let mut remarks = String::new();
        if origin.is_default {
            remarks.push_str(" (by default)");
        }
        if origin.value.is_none() && !tried.fields.is_empty() {
            remarks.push_str(" (missing in this record)");
        }
        let text = visible(&format!("{}{remarks}", console.clean(&origin.from)));
        let room = console.width().saturating_sub(name_width + 4).max(20);
        for (at, line) in wrap(&text, room).into_iter().enumerate() {
            let field = if at == 0 { visible(&origin.field) } else { String::new() };
            console.line(&format!("  {}  {line}", console.paint(Tone::Faint, &format!("{field:name_width$}"))));
        }
    }
}

/// What would differ if the record counted as another operation.
pub(crate) fn others(console: &Console, tried: &Tried) {
    let place_of = |request: &Request| match request {
        Request::Http(http) => Some((http.method.clone(), http.url.clone())),
        Request::File(_) => None,
    };
    for other in &tried.others {
        title(console, &format!("had it been {}", other.op.as_str()));
        if place_of(&other.request) != tried.request.as_ref().and_then(place_of) {
            place(console, &other.request);
        }
        lines(console, &pretty(console, other.payload.as_bytes()));
    }
}

/// What became of a record that was really sent.
pub(crate) fn sent(console: &Console, report: &SyncReport, answer: Option<&str>) {
    if let Some(answer) = answer {
        title(console, "answer");
        let answer = console.clean(answer);
        let (status, body) = answer.split_once('\n').unwrap_or((&answer, ""));
        console.line(&format!("  {}", visible(status)));
        if !body.trim().is_empty() {
            lines(console, &pretty(console, body.trim().as_bytes()));
        }
    }
    console.line("");
    let (tone, said) = match report.status {
        Status::Success => (Tone::Good, "delivered: it is not sent again until it changes".to_owned()),
        status => (Tone::Bad, status.as_str().to_owned()),
    };
    console.line(&format!("{}  {}", console.paint(tone, &said), console.paint(Tone::Faint, &format!("sync {}", report.sync_id))));
    let mut remarks: Vec<String> = report.message.iter().cloned().collect();
    for group in &report.failures {
        let told = report.message.as_ref().is_some_and(|message| message.contains(&group.message));
        remarks.extend((!told).then(|| group.message.clone()));
        remarks.push(group.action.clone());
    }
    for remark in remarks {
        for line in wrap(&visible(&console.clean(&remark)), console.width() - 2) {
            console.line(&format!("  {line}"));
        }
    }
}

/// The same as JSON.
pub(crate) fn document(console: &Console, mapping: &Mapping, tried: &Tried, gateway: Option<&str>) -> Value {
    let json = |text: &str| decoded(console, text).unwrap_or_else(|| console.clean(text).into());
    let others = tried.others.iter().map(|other| {
        let request = request_as_json(console, &other.request, gateway);
        json!({ "op": other.op, "payload": json(&other.payload), "request": request })
    });
    json!({
        "mapping": mapping.name,
        "id": json(&tried.id),
        "op": tried.op,
        "record": json(&tried.record),
        "fields": json(&tried.fields),
        "from": tried.origins.iter().map(|origin| origin_as_json(console, origin)).collect::<Vec<Value>>(),
        "payload": json(&tried.payload),
        "request": tried.request.as_ref().map(|request| request_as_json(console, request, gateway)),
        "others": others.collect::<Vec<Value>>(),
        "refused": tried.refused.as_ref().map(|refused| json!({ "code": refused.code, "message": console.clean(&refused.message) })),
        "sent": Value::Null,
    })
}

fn origin_as_json(console: &Console, origin: &FieldOrigin) -> Value {
    json!({
        "field": origin.field,
        "from": console.clean(&origin.from),
        "columns": origin.columns,
        "default": origin.is_default,
        "missing": origin.value.is_none(),
    })
}

/// How the same record is named on the command line.
pub(crate) fn named(mapping: &Mapping, tried: &Tried) -> String {
    let id = match value(&tried.id) {
        Some(Value::String(text)) if !text.starts_with(['"', '{', '[']) => text,
        _ => tried.id.clone(),
    };
    let plain = id.chars().all(|c| c.is_alphanumeric() || "-_.@+:".contains(c)) && !id.is_empty() && !id.starts_with('-');
    let id = if plain { id } else { format!("'{}'", visible(&id).replace('\'', r"'\''")) };
    format!("{} --record {id}", mapping.name)
}

fn title(console: &Console, text: &str) {
    console.line("");
    console.line(&console.paint(Tone::Strong, text));
}

/// Is the body the mapped fields and nothing else, alone or in a list? Then they are shown once.
fn carries_as_mapped(request: &Request, fields: &str) -> bool {
    let Some(fields) = value(fields) else { return false };
    match std::str::from_utf8(request.body()).ok().and_then(value) {
        Some(Value::Array(items)) => items == [fields],
        Some(body) => body == fields,
        None => false,
    }
}

fn request(console: &Console, request: &Request, gateway: Option<&str>) {
    place(console, request);
    match request {
        Request::Http(http) => {
            if let Some(gateway) = gateway {
                console.line(&console.paint(Tone::Faint, &format!("  through the gateway {}", visible(&console.clean(gateway)))));
            }
            for (name, value) in headers(console, http) {
                console.line(&format!("  {} {}", console.paint(Tone::Faint, &format!("{name}:")), visible(&value)));
            }
            if http.gzip {
                console.line(&console.paint(Tone::Faint, "  (compressed with gzip when sent)"));
            }
            console.line("");
            lines(console, &pretty(console, &http.body));
        }
        Request::File(file) => {
            console.line("");
            lines(console, &pretty(console, &file.body));
        }
    }
}

/// Where it goes.
fn place(console: &Console, request: &Request) {
    let (how, place) = match request {
        Request::Http(http) => (http.method.as_str(), console.clean(&http.url)),
        Request::File(file) => ("file", file.location.to_string()),
    };
    console.line(&format!("  {} {}", console.paint(Tone::Good, how), visible(&place)));
}

fn request_as_json(console: &Console, request: &Request, gateway: Option<&str>) -> Value {
    match request {
        Request::Http(http) => json!({
            "method": http.method,
            "url": console.clean(&http.url),
            "gateway": gateway.map(|gateway| console.clean(gateway)),
            "headers": headers(console, http).into_iter().map(|(name, value)| (name, value.into())).collect::<serde_json::Map<_, _>>(),
            "gzip": http.gzip,
            "body": body_as_json(console, &http.body),
        }),
        Request::File(file) => json!({ "path": file.location.to_string(), "body": body_as_json(console, &file.body) }),
    }
}

/// Names and values, secrets masked: those that are known, and whatever stands in a header that is there for one.
fn headers(console: &Console, http: &HttpRequest) -> Vec<(String, String)> {
    let masked = |(name, value): &(String, String)| {
        let lower = name.to_ascii_lowercase();
        let private = PRIVATE.iter().any(|part| lower.contains(part)) && !lower.contains("idempotency");
        let value = match value.split_once(' ') {
            Some((scheme, _)) if private && lower.contains("authorization") => format!("{scheme} {REDACTED}"),
            _ if private => REDACTED.to_owned(),
            _ => console.clean(value),
        };
        (name.clone(), value)
    };
    http.headers.iter().map(masked).collect()
}

fn value(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// The JSON of a text without secrets: neither in the text, nor in what it says once it is read.
fn decoded(console: &Console, text: &str) -> Option<Value> {
    value(&console.clean(text)).map(|value| console.clean_value(value))
}

/// Many lines where it is JSON, or JSON on each line; otherwise the text as it is, and of bytes their number.
fn pretty(console: &Console, body: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(body) else {
        return format!("({}, not text)", bytes(body.len() as u64));
    };
    let text = console.clean(text);
    let printed = |text: &str| decoded(console, text).and_then(|value| serde_json::to_string_pretty(&value).ok());
    let by_line = || text.lines().map(printed).collect::<Option<Vec<String>>>().map(|lines| lines.join("\n"));
    printed(&text).or_else(by_line).unwrap_or(text)
}

fn body_as_json(console: &Console, body: &[u8]) -> Value {
    match std::str::from_utf8(body) {
        Ok(text) => decoded(console, text).unwrap_or_else(|| console.clean(text).into()),
        Err(_) => json!({ "bytes": body.len() }),
    }
}

fn lines(console: &Console, text: &str) {
    for line in text.lines() {
        console.line(&format!("  {}", visible(line)));
    }
}
