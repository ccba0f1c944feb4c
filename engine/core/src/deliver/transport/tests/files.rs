//! Files appear whole or not at all.

use std::fs;
use std::path::Path;

use outflow_contract::outcome::{FileRequest, Location};

use super::*;

async fn write(path: &Path, body: &'static str) -> Sent {
    let location = Location::Local(path.to_owned());
    transport().send_unpermitted(&Request::File(FileRequest { location, body: Bytes::from_static(body.as_bytes()) })).await
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_is_written_with_its_folders_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/1.ndjson");
    assert!(matches!(write(&path, "{}\n").await, Sent::Answer(Answer::Written)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
    assert_eq!(names(path.parent().unwrap()), ["1.ndjson"]);
}

#[tokio::test]
async fn a_file_written_again_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.ndjson");
    for body in ["a longer first attempt", "second"] {
        assert!(matches!(write(&path, body).await, Sent::Answer(Answer::Written)));
        assert_eq!(fs::read_to_string(&path).unwrap(), body);
    }
}

#[tokio::test]
async fn what_a_killed_attempt_left_behind_is_stepped_over_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    for number in [1, 2] {
        fs::write(folder.path().join(format!(".1.ndjson.tmp-{number}")), "half").unwrap();
    }
    let other = folder.path().join(".2.ndjson.tmp-1");
    fs::write(&other, "of another request").unwrap();
    assert!(matches!(write(&folder.path().join("1.ndjson"), "whole").await, Sent::Answer(Answer::Written)));
    assert_eq!(names(folder.path()), [".2.ndjson.tmp-1", "1.ndjson"]);
    assert_eq!(fs::read_to_string(other).unwrap(), "of another request");
}

#[tokio::test]
async fn many_files_of_one_new_folder_are_written_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..32).map(|n| folder.path().join("new/deep").join(n.to_string())).collect();
    for sent in futures::future::join_all(paths.iter().map(|path| write(path, "x"))).await {
        assert!(matches!(sent, Sent::Answer(Answer::Written)), "{sent:?}");
    }
    assert_eq!(names(&folder.path().join("new/deep")).len(), 32);
}

#[tokio::test]
async fn a_path_that_cannot_be_written_is_not_sent_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    fs::create_dir(folder.path().join("taken")).unwrap();
    let cases = [("file/1.ndjson", "a part of the path is a file"), ("taken", "a folder has that name")];
    for (path, remedy) in cases {
        let error = not_sent(write(&folder.path().join(path), "x").await);
        assert!(error.remedy_text().unwrap_or_default().starts_with(remedy), "{error:?}");
        assert!(error.message().starts_with("could not"), "{error:?}");
        assert_eq!(names(folder.path()), ["file", "taken"]);
    }
    assert_eq!(not_sent(write(Path::new("/"), "x").await).message(), "/ does not name a file");
}
