//! What the program says when the world fails it: real faults, the real program, its words as a person reads them.
//!
//! Each message has to say what failed, on what, and what to do. A change here is a change for every user.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, missing_docs, reason = "a test")]

use std::fmt::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use outflow_tests::tls::Authority;
use outflow_tests::{Act, Outflow, Project, Server};

/// What the program said in each case, by the name of the case.
#[derive(Default)]
struct Said {
    text: String,
}

impl Said {
    /// Runs, expects a failure, and notes the message: the sync's, or else what was written to standard error.
    #[track_caller]
    fn note(&mut self, case: &str, project: &Project, command: &Outflow) {
        std::fs::remove_file(project.path("target/run_results.json")).ok();
        let run = command.run();
        assert!(run.code.is_some_and(|code| code > 0), "{case} is a failure\n{run}");
        let results = std::fs::read_to_string(project.path("target/run_results.json")).ok();
        let message = results.and_then(|text| {
            let results: serde_json::Value = serde_json::from_str(&text).unwrap();
            results["results"][0]["message"].as_str().map(str::to_owned)
        });
        let message = message.unwrap_or_else(|| run.stderr.clone());
        write!(self.text, "# {case}\n{}\n\n", message.trim_end()).unwrap();
    }

    fn golden(&self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.add_filter(r"127\.0\.0\.1:\d+", "<address>");
        settings.add_filter(r"/tmp/outflow-test-\w+", "<folder>");
        settings.add_filter(r"failed to lookup address information: [^;]+", "<the resolver's words>");
        settings.add_filter(r"-[0-9a-f]{16}-0\.parquet", "-<part>.parquet");
        settings.add_filter(r"-[0-9a-f]{8}\.ndjson", "-<content>.ndjson");
        settings.bind(|| insta::assert_snapshot!(name.to_owned(), self.text.trim_end()));
    }
}

/// Three people, and one destination for them.
fn project(destination: &str) -> Project {
    let project = Project::with(&format!(
        "version: 1
sources:
  warehouse: {{ type: files, tables: {{ people: people.csv }} }}
models:
  people: {{ source: warehouse, query: SELECT * FROM people, id: id }}
destinations:
  crm: {destination}
mappings:
  people: {{ model: people, destination: crm, action: ACTION, records: all, fields: {{ id: $.id, name: $.name }} }}
"
    ));
    let action = if destination.contains("type: file") { "write" } else { "send" };
    project.edit("outflow.yml", "ACTION", action);
    project.write("people.csv", "id,name\n1,a\n2,b\n3,c\n");
    project
}

fn webhook(url: &str, more: &str) -> Project {
    project(&format!("{{ type: webhook, request_timeout: 1s, request_lifetime: 10ms{more}, settings: {{ url: '{url}' }} }}"))
}

fn run(project: &Project) -> Outflow {
    Outflow::at(project).args("run")
}

/// An address at which nobody listens.
fn nobody() -> String {
    format!("http://{}/", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

#[test]
fn a_destination_that_cannot_be_reached_or_refuses() {
    let mut said = Said::default();
    let hook = webhook("http://no-such-host.invalid/x", "");
    said.note("name not found", &hook, &run(&hook));
    let hook = webhook(&nobody(), "");
    said.note("refused", &hook, &run(&hook));
    let server = Server::start();
    server.script((0..50).map(|_| Act::Hold(Duration::from_secs(20))));
    let hook = webhook(&server.url("/x"), "");
    said.note("timed out", &hook, &run(&hook));
    for status in [401, 403, 404, 500] {
        let server = Server::start();
        server.script((0..50).map(|_| Act::Status(status)));
        let hook = webhook(&server.url("/x"), "");
        said.note(&format!("status {status}"), &hook, &run(&hook));
    }
    said.golden("error_destination");
}

#[test]
fn a_proxy_that_fails() {
    let mut said = Said::default();
    let hook = webhook("https://api.example.com/x", "");
    said.note("refused", &hook, &run(&hook).env("HTTPS_PROXY", nobody()));
    said.note("not found", &hook, &run(&hook).env("HTTPS_PROXY", "http://no-such-proxy.invalid:3128"));
    let server = Server::start();
    server.script((0..50).map(|_| Act::Status(407)));
    said.note("wants a password", &hook, &run(&hook).env("HTTPS_PROXY", server.url("")));
    said.note("no address", &hook, &run(&hook).env("HTTPS_PROXY", "http://user:hunter2@:x"));
    let plain = webhook("http://api.example.com/x", "");
    said.note("refused, plain", &plain, &run(&plain).env("HTTP_PROXY", nobody()));
    assert!(!said.text.contains("hunter2"));
    said.golden("error_proxy");
}

#[test]
fn a_certificate_that_is_wrong() {
    let mut said = Said::default();
    let authority = Authority::new();
    let ca = ", tls: { ca_file: ca.pem }";
    let mut note = |case: &str, url: &str, more: &str| {
        let hook = webhook(url, more);
        authority.write(&hook.path("ca.pem"));
        said.note(case, &hook, &run(&hook));
    };
    note("unknown authority", &authority.serve("127.0.0.1", None), "");
    note("expired", &authority.serve("127.0.0.1", Some(2020)), ca);
    note("for another host", &authority.serve("other.example", None), ca);
    note("an authority's own", &authority.serve_itself(), ca);
    note("no TLS there", &Server::start().url("/x").replace("http://", "https://"), "");
    note("no certificate in the file", "https://127.0.0.1:1/", ", tls: { ca_file: people.csv }");
    note("no such file", "https://127.0.0.1:1/", ", tls: { ca_file: nowhere.pem }");
    said.golden("error_tls");
}

#[test]
fn a_source_that_is_missing_or_damaged() {
    let mut said = Said::default();
    let out = project("{ type: file, settings: { path: out } }");
    let mut note = |case: &str, content: &[u8]| {
        out.write("people.csv", content);
        said.note(case, &out, &run(&out));
    };
    note("too many fields", b"id,name\n1,a\n2,b,c,d\n");
    note("no header", b"");
    note("no text", b"id,name\n1,\xff\xfe\n");
    std::fs::remove_file(out.path("people.csv")).unwrap();
    said.note("no file", &out, &run(&out));
    out.edit("outflow.yml", "people.csv", "people.parquet");
    let mut note = |case: &str, content: &[u8]| {
        out.write("people.parquet", content);
        said.note(case, &out, &run(&out));
    };
    note("no Parquet", &[b'x'; 3_000]);
    note("an empty Parquet", b"");
    said.golden("error_source");
}

/// The program, run by somebody without any rights to what is not his own.
struct Nobody {
    program: PathBuf,
    _folder: Project,
}

impl Nobody {
    fn new() -> Self {
        let folder = Project::new();
        let program = folder.path("outflow");
        let from = outflow_tests::outflow_bin::binary();
        std::fs::hard_link(&from, &program).or_else(|_| std::fs::copy(&from, &program).map(drop)).unwrap();
        open(folder.root());
        Self { program, _folder: folder }
    }

    fn run(&self, project: &Project) -> Outflow {
        open(project.root());
        if rustix::process::getuid().is_root() {
            let nobody = Outflow::at(project).program("setpriv").args("--reuid=65534 --regid=65534 --clear-groups");
            return nobody.arg(&self.program).arg("run");
        }
        Outflow::at(project).program(&self.program).arg("run")
    }
}

/// Anybody may look into this folder, and its owner alone may write there.
fn open(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes a folder that anybody may write to.
fn shared(project: &Project, name: &str) {
    std::fs::create_dir_all(project.path(name)).unwrap();
    std::fs::set_permissions(project.path(name), std::fs::Permissions::from_mode(0o777)).unwrap();
}

/// Nobody may look at or write to this.
fn close(project: &Project, name: &str, mode: u32) {
    std::fs::set_permissions(project.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_right_that_is_missing() {
    let mut said = Said::default();
    let nobody = Nobody::new();
    let out = project("{ type: file, settings: { path: open/out } }");
    out.edit("outflow.yml", "version: 1", "version: 1\nstate: open/state");
    std::fs::create_dir(out.path("open")).unwrap();
    close(&out, "open", 0o555);
    said.note("the state cannot be made", &out, &nobody.run(&out));
    shared(&out, "open");
    // As root, a state of root's; else one that its owner closed.
    std::fs::create_dir(out.path("open/state")).unwrap();
    close(&out, "open/state", 0o000);
    if rustix::process::getuid().is_root() {
        said.note("the state of another user", &out, &nobody.run(&out));
    }
    std::fs::remove_dir(out.path("open/state")).unwrap();

    shared(&out, ".");
    shared(&out, "target");
    std::fs::create_dir(out.path("open/out")).unwrap();
    close(&out, "open/out", 0o555);
    said.note("the output folder", &out, &nobody.run(&out));
    shared(&out, ".");
    close(&out, "people.csv", 0o000);
    said.note("the source", &out, &nobody.run(&out));
    close(&out, "outflow.yml", 0o000);
    said.note("the project", &out, &nobody.run(&out));
    if rustix::process::getuid().is_root() {
        said.golden("error_rights");
    }
}

/// Runs in a place of its own where `small` is a disk of 300 KB, mounted after `before` was done there.
fn on_small_disk(project: &Project, before: &str, options: &str) -> Outflow {
    let small = project.path("small");
    std::fs::create_dir_all(&small).unwrap();
    let small = small.display();
    let script = format!(
        "mount -t tmpfs -o size=300k tmpfs {small} && cd {small} && {before} && mount -o remount,{options} {small} && cd .. && exec {} run",
        outflow_tests::outflow_bin::binary().display()
    );
    Outflow::at(project).program("unshare").args("-rm sh -c").arg(script)
}

#[test]
fn a_disk_that_is_full_or_read_only() {
    let out = project("{ type: file, settings: { path: small/out } }");
    let can = Outflow::at(&out).program("unshare").args("-rm mount -t tmpfs tmpfs /mnt").run();
    if can.code != Some(0) {
        return outflow_tests::did_not_run("what is said of a full disk", "nobody may mount a small disk of his own here", &can);
    }
    let mut said = Said::default();
    // Names that do not compress.
    let scattered = |i: u128| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let mut names = String::new();
    for i in 0..20_000 {
        names += &format!("{i},{:032x}{:032x}\n", scattered(i), scattered(scattered(i)));
    }
    out.write("people.csv", format!("id,name\n{names}"));
    said.note("the destination's disk is full", &out, &on_small_disk(&out, "true", "rw"));
    said.note("the destination's disk is read-only", &out, &on_small_disk(&out, "mkdir out", "ro"));
    std::fs::remove_dir_all(out.path("state")).unwrap();
    out.edit("outflow.yml", "version: 1", "version: 1\nstate: small/state");
    said.note("the state's disk is full", &out, &on_small_disk(&out, "true", "rw"));
    said.note("the state's disk is read-only", &out, &on_small_disk(&out, "true", "ro"));
    said.golden("error_disk");
}
