//! Looking at things without running anything: preview, test, catalog; and what a shell is told.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use arrow::datatypes::DataType;
use outflow_tests::outflow_bin::binary;
use outflow_tests::{Outflow, Project, Server, Table};
use serde_json::{Value, json};

use crate::{MIRROR, Shop};

#[test]
fn a_preview_is_kept_and_the_source_is_asked_again_only_when_told_to() {
    let shop = Shop::new(25);
    let first = shop.outflow("preview people --output json").expect(0);
    let shown = first.json();
    assert_eq!((&shown["model"], &shown["source"], &shown["cached_at"]), (&"people".into(), &"warehouse".into(), &Value::Null));
    assert_eq!(shown["columns"][1], json!({ "name": "name", "type": "text" }));
    assert_eq!(shown["records"].as_array().unwrap().len(), 10);
    assert_eq!(shown["records"][2], json!({ "id": 3, "name": "name 3", "email": "p3@example.com", "score": 30 }));
    assert!(first.stderr.is_empty(), "{first}");

    let again = shop.outflow("preview people --output json").expect(0);
    assert_eq!(again.json()["records"], shown["records"]);
    assert!(again.json()["cached_at"].is_string() && again.stderr.contains("--refresh asks warehouse again"), "{again}");
    assert!(shop.outflow("preview people --quiet").expect(0).stderr.is_empty());

    let is_kept = |args: &str| shop.outflow(&format!("preview people --output json {args}")).expect(0).json()["cached_at"].is_string();
    assert!(is_kept("") && !is_kept("--refresh") && is_kept(""));
    // Another limit, and another query, are other previews.
    assert!(!is_kept("--limit 11") && is_kept("--limit 11"));
    shop.project.edit("outflow.yml", "SELECT * FROM people", "SELECT id FROM people");
    assert!(!is_kept("") && is_kept(""));
    assert!(shop.project.files("state").is_empty(), "a preview leaves the state alone");
}

#[test]
fn a_preview_of_a_file_that_was_changed_is_a_new_one() {
    let mut shop = Shop::new(3);
    let preview = |shop: &Shop| shop.outflow("preview people --output json").expect(0).json();
    preview(&shop);
    assert!(preview(&shop)["cached_at"].is_string());
    shop.table.set(2, "name", "edited");
    shop.write();
    let edited = preview(&shop);
    assert_eq!((&edited["cached_at"], &edited["records"][1]["name"]), (&Value::Null, &"edited".into()));
    std::fs::remove_file(shop.project.path("people.parquet")).unwrap();
    let gone = shop.outflow("preview people");
    assert!(gone.code != Some(0) && gone.stderr.contains("people.parquet"), "{gone}");
}

#[test]
fn a_kept_preview_is_private_and_nobody_depends_on_it() {
    let shop = Shop::new(3);
    let preview = |n: usize| {
        let shown = shop.outflow("preview people --output json").expect(0).json();
        assert_eq!(shown["records"].as_array().unwrap().len(), n);
        shown["cached_at"].is_string()
    };
    assert!(!preview(3) && preview(3));
    let kept = shop.project.files("target/previews");
    assert_eq!(kept.len(), 1);
    let mode = std::fs::metadata(shop.project.path(&kept[0])).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for damage in ["", "{", "null", "{\"key\": \"x\", \"preview\": {}}"] {
        shop.project.write(&kept[0], damage);
        assert!(!preview(3), "{damage} was taken for a preview");
    }
    std::fs::remove_dir_all(shop.project.path("target")).unwrap();
    shop.project.write("target", "in the way");
    assert!(!preview(3) && !preview(3));
}

#[test]
fn a_preview_shows_values_for_what_they_are() {
    let mut table = Table::new(&[("id", DataType::Int64), ("text", DataType::Utf8), ("total", DataType::Decimal128(12, 2))]);
    for values in [json!([1, null, "12.30"]), json!([22, "", null]), json!([333, "null", "-1.00"]), json!([4, "\u{1b}[2Ja\nb", "0.05"])] {
        table.push(values);
    }
    let project = Project::with(
        "version: 1\nsources: { files: { type: files, tables: { t: t.parquet } } }\nmodels: { m: { source: files, query: SELECT * FROM t, id: id } }\n",
    );
    project.parquet("t.parquet", &table);
    let run = Outflow::at(&project).args("preview m").run().expect(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "m  all of its 4 records",
            "",
            "    id  text                     total",
            "bigint  text             decimal(12,2)",
            "     1  null                     12.30",
            "    22  \"\"                        null",
            "   333  \"null\"                   -1.00",
            "     4  \"\\u001b[2Ja\\nb\"           0.05",
        ]
    );
}

#[test]
fn names_that_are_nearly_right_are_suggested() {
    let shop = Shop::new(3);
    for (args, said) in [
        ("preview peeple", "did you mean `people`?"),
        ("preview mirror", "outflow preview people"),
        ("test warehuose", "did you mean `warehouse`?"),
        ("test people", "`outflow preview people`"),
        ("test mapping:mirorr", "did you mean `mirror`?"),
        ("test source:hook", "there is no source `hook`"),
        ("test hook --send", "--record and --send are for mappings"),
        ("catalog webhok", "did you mean `webhook`?"),
        ("catalog hook", "`outflow catalog webhook`"),
        ("catalog webhook sned", "did you mean `send`?"),
        ("baseline miror --yes", "did you mean `mirror`?"),
        ("pause miror", "did you mean `mirror`?"),
        ("resume miror", "did you mean `mirror`?"),
        ("rename mirror other --yes", "write `other` instead of `mirror` in outflow.yml first"),
    ] {
        let run = shop.outflow(args).expect(2);
        assert!(run.stderr.split_whitespace().collect::<Vec<_>>().join(" ").contains(said), "{said} is missing: {run}");
    }
}

#[test]
fn a_source_is_tried() {
    let shop = Shop::new(3);
    let tried = shop.outflow("test warehouse --output json").expect(0).json();
    assert_eq!((&tried["ok"], &tried["type"]), (&true.into(), &"files".into()));
    assert!(tried["version"].as_str().unwrap().starts_with("DataFusion"));
    assert!(tried["details"]["people"].as_str().unwrap().contains("4 columns"), "{tried}");
    assert!(shop.outflow("test source:warehouse").expect(0).stdout.contains("warehouse  ok"));
    std::fs::remove_file(shop.project.path("people.parquet")).unwrap();
    let run = shop.outflow("test warehouse");
    assert!(run.code == Some(2) || run.code == Some(1), "{run}");
    assert!(run.stderr.contains("people.parquet") && run.stderr.contains("source: warehouse"), "{run}");
}

#[test]
fn a_destination_is_tried_and_nothing_arrives_there() {
    let shop = Shop::new(3);
    let tried = shop.outflow("test hook --output json").expect(0).json();
    assert_eq!((&tried["ok"], &tried["proven"]), (&true.into(), &false.into()));
    assert!(shop.outflow("test hook").expect(0).stdout.starts_with("hook  ok"));
    assert!(shop.server.records().is_empty());
    // A destination of files is written to and left as it was; one without a mapping is tried, too.
    shop.project.edit("outflow.yml", "destinations:\n", "destinations:\n  folder: { type: file, settings: { path: out } }\n");
    let tried = shop.outflow("test folder --output json").expect(0).json();
    assert_eq!(tried["proven"], true);
    assert!(shop.project.files("out").is_empty());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = shop.server.url("/records");
    shop.project.edit("outflow.yml", &url, &format!("http://127.0.0.1:{port}/records"));
    let run = shop.outflow("test hook").expect(1);
    assert!(run.stderr.contains("refused the connection") && run.stderr.contains("help:"), "{run}");
}

#[test]
fn a_name_of_several_things_has_to_say_which() {
    let shop = Shop::with(3, Server::start(), &MIRROR.replace("mirror:", "hook:"), "batch: { records: 10, body: array }");
    let run = shop.outflow("test hook").expect(2);
    assert!(run.stderr.contains("`destination:hook` or `mapping:hook`"), "{run}");
    shop.outflow("test destination:hook").expect(0);
}

#[test]
fn a_mapping_is_tried_on_one_record_and_nothing_is_sent() {
    let shop = Shop::new(5);
    let tried = shop.outflow("test mirror --output json").expect(0).json();
    assert_eq!((&tried["id"], &tried["op"], &tried["sent"]), (&1.into(), &"added".into(), &Value::Null));
    assert_eq!(tried["record"], json!({ "id": 1, "name": "name 1", "email": "p1@example.com", "score": 10 }));
    assert_eq!(tried["fields"], json!({ "id": 1, "op": "added", "name": "name 1", "email": "p1@example.com" }));
    let request = &tried["request"];
    assert_eq!((&request["method"], &request["url"]), (&"POST".into(), &shop.server.url("/records").into()));
    assert_eq!(request["body"], json!([tried["fields"]]));
    // The mapping sends deletes, too: what would differ is shown.
    let others: Vec<&Value> = tried["others"].as_array().unwrap().iter().map(|other| &other["payload"]["op"]).collect();
    assert_eq!(others, ["updated", "deleted"]);

    assert_eq!(shop.outflow("test mirror --record 4 --output json").expect(0).json()["record"]["name"], "name 4");
    let missing = shop.outflow("test mirror --record 44").expect(2);
    assert!(missing.stderr.contains("no record with the identifier 44"), "{missing}");
    assert!(shop.server.requests().is_empty() && shop.project.files("state").is_empty(), "nothing was sent, and nothing remembered");
}

#[test]
fn secrets_are_masked_in_the_request_that_is_shown() {
    let shop = Shop::new(1);
    let settings = "batch: { records: 10, body: array }, auth: { type: bearer, token: '${env:TOKEN}' }, headers: { X-Api-Key: 'abc', X-Team: '${env:TOKEN}-x' }";
    shop.configure(MIRROR, settings, "");
    let tried = |more: &str| {
        let command = outflow_tests::Outflow::at(&shop.project).args("test mirror").args(more).env("TOKEN", "very-s3cret");
        command.run().expect(0)
    };
    let text = tried("");
    assert!(text.stdout.contains("Bearer ***") && text.stdout.contains("X-Team: ***-x"), "{text}");
    let json = tried("--output json");
    assert_eq!(json.json()["request"]["headers"]["X-Api-Key"], "***");
    for run in [text, json] {
        assert!(!run.stdout.contains("s3cret") && !run.stdout.contains("abc"), "{run}");
    }
}

/// The block that the catalogue offers, filled in as a person would.
fn filled_in(yaml: &str) -> String {
    let mut text = yaml.to_owned();
    for (place, value) in [("<url>", "https://example.com/records"), ("<path>", "out")] {
        text = text.replace(place, value);
    }
    while let Some((before, rest)) = text.split_once("\"<") {
        let after = rest.split_once('>').map_or("", |(_, after)| after);
        text = format!("{before}\"x{after}");
    }
    text
}

/// The columns, and the variables, that a block names outside its comments.
fn named(yaml: &str, start: &str) -> BTreeSet<String> {
    let lines = yaml.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| line.split(" # ").next().unwrap());
    let words = |line: &str| -> Vec<String> {
        let word = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
        line.split(start).skip(1).map(word).collect()
    };
    lines.flat_map(words).filter(|word| !word.is_empty() && !word.starts_with("__")).collect()
}

#[test]
fn what_the_catalogue_offers_to_paste_passes_the_checks_for_every_action_there_is() {
    let anywhere = Project::new();
    let catalog = |args: &str| Outflow::at(&anywhere).args(&format!("catalog {args} --output json")).run().expect(0).json();
    let mut tried = 0;
    for destination in catalog("")["destinations"].as_array().unwrap() {
        for action in destination["actions"].as_array().unwrap() {
            let (kind, action) = (destination["name"].as_str().unwrap(), action["name"].as_str().unwrap());
            let yaml = filled_in(catalog(&format!("{kind} {action}"))["yaml"].as_str().unwrap());
            let columns: Vec<String> = named(&yaml, "$.").into_iter().filter(|name| name != "id").collect();
            let mut schema = vec![("id", DataType::Int64)];
            schema.extend(columns.iter().map(|name| (name.as_str(), DataType::Utf8)));
            let project = Project::with(&format!(
                "version: 1\nsources: {{ files: {{ type: files, tables: {{ t: t.parquet }} }} }}\nmodels:\n  my_model: {{ source: files, table: t, id: id }}\n{yaml}"
            ));
            project.parquet("t.parquet", &Table::new(&schema));
            let check = named(&yaml, "${env:").into_iter().fold(Outflow::at(&project).args("check"), |run, name| run.env(name, "s3cret"));
            let run = check.run();
            assert!(run.code == Some(0), "{kind} {action}:\n{yaml}\n{run}");
            tried += 1;
        }
    }
    assert!(tried >= 2, "the catalogue is empty");
}

#[test]
fn the_catalogue_is_shown_for_people() {
    let project = Project::new();
    let catalog = |args: &str| Outflow::at(&project).args(args).run().expect(0).stdout;
    assert!(catalog("catalog").contains("webhook"));
    let webhook = catalog("catalog webhook");
    for wanted in ["url", "required", "batch.records", "1000", "sign.secret", "secret", "destinations:"] {
        assert!(webhook.contains(wanted), "{wanted} is missing:\n{webhook}");
    }
    assert!(catalog("catalog webhook send").contains("Takes records that were added, updated or deleted."));
}

#[test]
fn bash_completes_commands_and_the_names_of_the_project() {
    let shop = Shop::new(1);
    shop.project.write("completions.bash", shop.outflow("completions bash").expect(0).stdout);
    let complete = |line: &str| -> Vec<String> {
        let words: Vec<&str> = line.split(' ').collect();
        let script = format!(
            "source completions.bash; COMP_WORDS=({}); COMP_CWORD={}; _outflow outflow '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
            words.len() - 1,
            words.last().unwrap(),
            words[words.len() - 2],
        );
        let path = format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash").args(["-c", &script]).current_dir(shop.project.root()).env("PATH", path).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    };
    assert_eq!(complete("outflow pre"), ["preview"]);
    assert!(!complete("outflow ").iter().any(|word| word == "names"));
    assert_eq!(complete("outflow preview p"), ["people"]);
    assert_eq!(complete("outflow reset m"), ["mirror"]);
    assert_eq!(complete("outflow catalog w"), ["webhook"]);
    let tested = complete("outflow test ");
    for name in ["warehouse", "hook", "mirror", "--send"] {
        assert!(tested.iter().any(|word| word == name), "{name} is missing: {tested:?}");
    }
    assert!(!tested.iter().any(|word| word.contains(['<', '['])), "{tested:?}");
    for line in ["outflow run --select ", "outflow run -s ", "outflow plan --exclude ", "outflow history --mapping "] {
        assert_eq!(complete(line), ["mirror"], "{line}");
    }
    assert_eq!(complete("outflow history --destination "), ["hook"]);
    assert_eq!(complete("outflow show la"), ["last"]);
    let shells = ["zsh", "fish"].map(|shell| shop.outflow(&format!("completions {shell}")).expect(0).stdout);
    assert!(shells[0].contains(":{_outflow_names model}'") && shells[1].contains("(outflow names testable 2>/dev/null)"));
    assert!(
        shells[0].contains("PATTERN:{_outflow_names pattern}'") && shells[1].contains(" -r -f -a \"(outflow names pattern 2>/dev/null)\"")
    );
    let patterns = shop.outflow("names pattern").expect(0).stdout;
    assert_eq!(patterns.lines().collect::<Vec<_>>(), ["mirror", "model:people", "destination:hook"]);
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let project = Project::new();
    let run = Outflow::at(&project).args("man --dir pages").run().expect(0);
    let pages = project.files("pages");
    assert!(run.stdout.contains(&format!("Wrote {} pages", pages.len())), "{run}");
    for page in ["pages/outflow.1", "pages/outflow-preview.1", "pages/outflow-run.1"] {
        assert!(pages.iter().any(|name| name == page), "{page} is missing: {pages:?}");
    }
    assert!(!pages.iter().any(|name| name.contains("names")), "{pages:?}");
    assert!(project.read("pages/outflow-reset.1").contains("Example"));
    assert!(Outflow::at(&project).args("man").run().expect(0).stdout.contains(".TH outflow 1"));
}
