//! Goal: the project that `init` makes is whole, the same for a seed, and does not overwrite anything.
//! That it runs as it stands is shown through the binary, in the tests crate.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use outflow_contract::Kind;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

fn made(seed: u64) -> (tempfile::TempDir, Written) {
    let folder = tempfile::tempdir().unwrap();
    let written = write_project(folder.path(), "shop", seed).unwrap();
    (folder, written)
}

fn customers(folder: &Path) -> RecordBatch {
    let file = fs::File::open(folder.join("data/customers.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

/// Splits a line of CSV as RFC 4180 says.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => field.push(characters.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

#[test]
fn one_seed_gives_the_same_bytes_and_another_seed_gives_others() {
    let (first, written) = made(7);
    let (again, _) = made(7);
    let (other, _) = made(8);
    for file in &written.files {
        let read = |folder: &tempfile::TempDir| fs::read(folder.path().join(&file.path)).unwrap();
        assert_eq!(read(&first).len() as u64, file.bytes, "{}", file.path.display());
        assert!(read(&first) == read(&again), "{} differs between two runs of one seed", file.path.display());
    }
    let orders = |folder: &tempfile::TempDir| fs::read(folder.path().join("data/orders.csv")).unwrap();
    assert!(orders(&first) != orders(&other));
}

#[test]
fn a_folder_with_a_project_is_refused() {
    let (folder, _) = made(1);
    let error = write_project(folder.path(), "shop", 1).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.message().contains("already holds a project"), "{error}");
    assert!(error.remedy_text().is_some());
}

#[test]
fn a_file_that_is_there_already_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("README.md"), "mine").unwrap();
    let error = write_project(folder.path(), "shop", 1).unwrap_err();
    assert!(error.message().contains("README.md"), "{error}");
    assert_eq!(fs::read_to_string(folder.path().join("README.md")).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_with_other_files_is_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    write_project(&folder.path().join("deep/er"), "shop", 1).unwrap();
    write_project(folder.path(), "shop", 1).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("notes.txt")).unwrap(), "mine");
    assert!(folder.path().join("deep/er/outflow.yml").exists());
}

#[test]
fn a_name_with_a_line_break_stays_in_its_comment() {
    let folder = tempfile::tempdir().unwrap();
    write_project(folder.path(), "shop\nmodels: {}\r@CUSTOMERS@", 1).unwrap();
    let project = fs::read_to_string(folder.path().join("outflow.yml")).unwrap();
    assert!(project.starts_with("# shop models: {} @CUSTOMERS@: a sample project"), "{project}");
}

#[test]
fn no_place_of_a_template_is_left_open() {
    let (folder, written) = made(1);
    for file in written.files.iter().filter(|file| !file.path.starts_with("data")) {
        let text = fs::read_to_string(folder.path().join(&file.path)).unwrap();
        assert!(!text.contains("@NAME@"), "{}", file.path.display());
        for place in ["CUSTOMERS", "ORDER", "WINDOW", "REFUND", "ERASED"] {
            assert!(!text.contains(&format!("@{place}")), "{}: {place}", file.path.display());
        }
    }
}

#[test]
fn customers_are_as_untidy_as_real_ones() {
    let (folder, written) = made(1);
    let batch = customers(folder.path());
    assert_eq!((batch.num_rows(), written.customers), (20_000, 20_000));
    let ids: BTreeSet<&str> = batch["customer_id"].as_string::<i32>().iter().flatten().collect();
    assert_eq!((ids.len(), ids.first().copied(), ids.last().copied()), (20_000, Some("C000001"), Some("C020000")));
    for name in ["email", "phone", "birthday", "last_seen_at", "credit", "marketing_consent", "address", "tags"] {
        let nulls = batch[name].null_count();
        assert!((200..6_000).contains(&nulls), "{name}: {nulls} nulls");
    }
    let emails: Vec<&str> = batch["email"].as_string::<i32>().iter().flatten().collect();
    assert!(emails.iter().any(|email| email.is_empty()));
    assert!(emails.iter().any(|email| email.starts_with(' ')));
    assert!(emails.iter().any(|email| email.contains("EXAMPLE.COM")));
    let first: BTreeSet<&str> = batch["first_name"].as_string::<i32>().iter().flatten().collect();
    let last: BTreeSet<&str> = batch["last_name"].as_string::<i32>().iter().flatten().collect();
    assert!(["Zoë", "Łukasz"].iter().all(|name| first.contains(name)));
    assert!(["Ørsted", "O'Brien", "李"].iter().all(|name| last.contains(name)));
    assert!(first.iter().any(|name| name.contains('🌻')));
    let credit = batch["credit"].as_primitive::<Decimal128Type>();
    assert!(credit.iter().flatten().any(|cents| cents == 0) && credit.iter().flatten().any(|cents| cents < 0));
    assert!(batch["tags"].as_list::<i32>().iter().flatten().any(|tags| tags.is_empty()));
}

#[test]
fn columns_have_the_types_that_are_awkward_on_purpose() {
    let (folder, _) = made(1);
    let schema = customers(folder.path()).schema();
    let of = |name: &str| schema.field_with_name(name).unwrap().data_type().to_string();
    assert_eq!(of("signup_at"), "Timestamp(µs, \"UTC\")");
    assert_eq!(of("last_seen_at"), "Timestamp(ms, \"Europe/Oslo\")");
    assert_eq!(of("credit"), "Decimal128(12, 2)");
    assert_eq!(of("birthday"), "Date32");
    assert!(of("address").starts_with("Struct("), "{}", of("address"));
    assert!(of("tags").starts_with("List("), "{}", of("tags"));
}

#[test]
fn orders_are_numbered_by_time_and_add_up() {
    let (folder, written) = made(1);
    let text = fs::read_to_string(folder.path().join("data/orders.csv")).unwrap();
    let batch = customers(folder.path());
    let signups = batch["signup_at"].as_primitive::<TimestampMicrosecondType>();
    let mut before = i64::MIN;
    let (mut count, mut engraved) = (0_u64, 0_usize);
    for (place, line) in text.lines().skip(1).enumerate() {
        let fields = fields(line);
        let [id, customer, at, _status, total, _currency, items] = &fields[..] else { panic!("{line}") };
        assert_eq!(*id, format!("O{:06}", place + 1));
        let moment = at.parse::<jiff::Timestamp>().unwrap().as_second();
        let number: usize = customer[1..].parse().unwrap();
        assert!(moment >= before && moment > signups.value(number - 1) / 1_000_000, "{line}");
        before = moment;
        let items: Vec<serde_json::Value> = serde_json::from_str(items).unwrap();
        let cents = |item: &serde_json::Value| (item["price"].as_f64().unwrap() * 100.0).round() as i64 * item["qty"].as_i64().unwrap();
        let sum: i64 = items.iter().map(cents).sum();
        let total: i64 = total.replace('.', "").parse().unwrap();
        assert!(total == sum || total == sum - sum / 10, "{line}");
        engraved += items.iter().filter(|item| item.get("engraving").is_some()).count();
        count += 1;
    }
    assert_eq!(count, written.orders);
    assert!((55_000..65_000).contains(&count), "{count}");
    assert!(
        engraved > 1_000 && written.orders_in_model > 10_000 && written.orders_in_model < count * 3 / 4,
        "{engraved} {}",
        written.orders_in_model
    );
}

/// The commands of the README are run as they are printed.
#[test]
fn the_edits_of_the_readme_change_one_order_and_erase_one_customer() {
    let (folder, _) = made(3);
    let readme = fs::read_to_string(folder.path().join("README.md")).unwrap();
    let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("sed ") || line.starts_with("echo ")).collect();
    assert_eq!(commands.len(), 2);
    let before = fs::read_to_string(folder.path().join("data/orders.csv")).unwrap();
    for command in commands {
        let status = std::process::Command::new("sh").args(["-c", command]).current_dir(folder.path()).status().unwrap();
        assert!(status.success(), "{command}");
    }
    let after = fs::read_to_string(folder.path().join("data/orders.csv")).unwrap();
    let changed: Vec<(&str, &str)> = before.lines().zip(after.lines()).filter(|(old, new)| old != new).collect();
    assert_eq!((before.lines().count(), changed.len()), (after.lines().count(), 1));
    assert_eq!(changed[0].0.replacen(",paid,", ",refunded,", 1), changed[0].1);
    let erasures = fs::read_to_string(folder.path().join("data/erasures.csv")).unwrap();
    assert_eq!(erasures.lines().count(), 5);
    let erased = erasures.lines().last().unwrap().split(',').next().unwrap();
    let refunded = fields(changed[0].0)[1].clone();
    assert!(erased < "C020001" && erased != refunded, "{erased} {refunded}");
}
