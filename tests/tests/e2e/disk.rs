//! A disk, a limit or a right that stops a run: it says so, nothing is lost, and the next run goes on once there is room again.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use outflow_tests::outflow_bin::binary;
use outflow_tests::{Outflow, Run, did_not_run};
use serde_json::json;

use crate::{Shop, is_long};

/// `n` people whose names do not compress.
fn shop(n: i64) -> Shop {
    let mut shop = Shop::new(0);
    scatter(&mut shop, n, 0);
    shop
}

/// Gives everybody another name.
fn scatter(shop: &mut Shop, n: i64, round: u64) {
    let scattered = |i: u64| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let name = |id: i64| {
        let seed = id as u64 + round * 1_000_003;
        format!("{:016x}{:016x}", scattered(seed), scattered(scattered(seed)))
    };
    shop.table.records().clear();
    for id in 1..=n {
        shop.table.push(json!([id, name(id), format!("p{id}@example.com"), id * 10]));
    }
    shop.write();
}

/// The program, started by a shell that has set limits before.
fn limited(shop: &Shop, limits: &str) -> Outflow {
    let script = format!("{limits}; exec {} run", binary().display());
    Outflow::at(&shop.project).program("/bin/sh").arg("-c").arg(script)
}

#[track_caller]
fn converges(shop: &mut Shop, case: &str) {
    let run = shop.outflow("run");
    assert_eq!(run.code, Some(0), "{case}: the next run\n{run}");
    shop.assert_mirrored();
    shop.server.take_requests();
    assert_eq!(shop.run(0)["status"], "no_changes", "{case}");
    assert!(shop.server.take_requests().is_empty(), "{case}");
}

#[test]
fn a_limit_on_the_size_of_files_is_told_and_loses_nothing() {
    let mut shop = shop(1_500);
    let mut stopped = 0;
    // In blocks of 512 bytes.
    for (round, blocks) in [8, 16, 24, 48, 96, 10_000].into_iter().enumerate() {
        scatter(&mut shop, 1_500, round as u64);
        let run = limited(&shop, &format!("ulimit -f {blocks}")).run();
        let case = format!("{blocks} blocks");
        if run.code == Some(0) {
            shop.assert_mirrored();
        } else {
            stopped += 1;
            let run = run.expect(1);
            assert!(run.stderr.contains("too large") || run.stdout.contains("too large"), "{case}: what is wrong\n{run}");
            assert!(run.to_string().contains("ulimit -f"), "{case}: what to do\n{run}");
        }
        converges(&mut shop, &case);
    }
    assert!((2..6).contains(&stopped), "{stopped} of the limits were in the way");
}

/// Values that are larger than what is gathered before it is written: the writer of the file meets the limit, not who closes it.
#[test]
fn a_large_file_that_does_not_fit_is_told_once_with_its_place_and_what_to_do() {
    let mut shop = shop(40_000);
    let run = limited(&shop, "ulimit -f 1024").run().expect(1);
    let said = shop.result()["message"].as_str().unwrap().to_owned();
    let folder = shop.project.path("state/models/people/versions");
    assert!(said.starts_with(&format!("could not write {}", folder.display())), "{run}");
    assert_eq!(said.matches("too large").count(), 1, "{said}");
    assert!(said.contains("raise it, then run again"), "{said}");
    assert_eq!(shop.server.arrived().requests, 0);
    converges(&mut shop, "without the limit");
}

#[test]
fn too_little_memory_loses_nothing() {
    let mut shop = shop(3_000);
    let mut ended_badly = 0;
    let kilobytes: &[u64] =
        if is_long() { &[40_000, 80_000, 160_000, 240_000, 320_000, 480_000, 640_000, 900_000] } else { &[120_000, 320_000] };
    for (round, limit) in kilobytes.iter().enumerate() {
        scatter(&mut shop, 3_000, round as u64);
        let run = limited(&shop, &format!("ulimit -v {limit}")).run();
        match run.code {
            Some(0) => shop.assert_mirrored(),
            // However it ends.
            _ => ended_badly += 1,
        }
        converges(&mut shop, &format!("{limit} KB"));
    }
    assert!(ended_badly > 0, "none of these is too little");
}

/// A script in a place of its own, where the folder `state` may be a disk of its own.
fn apart(shop: &Shop, script: &str) -> Outflow {
    std::fs::create_dir_all(shop.project.path("state")).unwrap();
    let script = script.replace("outflow ", &format!("{} ", binary().display()));
    Outflow::at(&shop.project).program("unshare").args("-rm sh -c").arg(script)
}

/// May this user mount a disk in a place of his own?
fn may_mount(shop: &Shop) -> Result<(), Run> {
    let run = apart(shop, "mount -t tmpfs tmpfs state").run();
    if run.code == Some(0) { Ok(()) } else { Err(run) }
}

#[test]
fn a_disk_that_fills_up_is_told_and_what_was_delivered_is_not_sent_again_once_there_is_room() {
    let mut shop = shop(2_000);
    if let Err(run) = may_mount(&shop) {
        return did_not_run("a full disk", "nobody may mount a small disk of his own here", &run);
    }
    let mut full = 0;
    let step = if is_long() { 16 } else { 96 };
    for kilobytes in (24..600).step_by(step) {
        shop = self::shop(2_000);
        let script = format!(
            "mount -t tmpfs -o size={kilobytes}k tmpfs state
             outflow run; first=$?
             mount -o remount,size=64m state
             outflow run; second=$?
             outflow run > last; third=$?
             echo; echo {{\\\"codes\\\":[$first,$second,$third]}}"
        );
        let run = apart(&shop, &script).run().expect(0);
        let codes = run.summary()["codes"].clone();
        assert!(codes == json!([0, 0, 0]) || codes == json!([1, 0, 0]), "{kilobytes} KB: {codes}\n{run}");
        if codes[0] == 1 {
            full += 1;
            assert!(run.to_string().contains("no space is left on the disk of the state"), "{kilobytes} KB\n{run}");
        }
        assert!(shop.project.read("last").contains("no_changes"), "{kilobytes} KB: the last run sends nothing");
        shop.assert_mirrored();
        let arrived = shop.server.arrived().records;
        // What was in flight when the disk refused to note it goes out again, under its key.
        assert!(arrived <= 2_000 + 8 * 10, "{kilobytes} KB: {arrived} records arrived");
    }
    assert!(full >= 2, "{full} of the sizes were too small");
}

#[test]
fn a_state_that_cannot_be_written_stops_a_run_before_it_extracts() {
    let mut shop = shop(50);
    if let Err(run) = may_mount(&shop) {
        return did_not_run("a read-only disk", "nobody may mount a small disk of his own here", &run);
    }
    let script = "mount -t tmpfs -o size=8m tmpfs state
         outflow run; first=$?
         mount -o remount,ro state
         rm -f people.parquet; mv later.parquet people.parquet
         outflow run --log-format json > log 2>&1; second=$?
         mount -o remount,rw state
         outflow run; third=$?
         echo; echo {\\\"codes\\\":[$first,$second,$third]}";
    let before = shop.table.clone();
    shop.table.set(7, "name", "changed meanwhile");
    shop.project.parquet("later.parquet", &shop.table);
    shop.project.parquet("people.parquet", &before);
    let run = apart(&shop, script).run().expect(0);
    assert_eq!(run.summary()["codes"], json!([0, 1, 0]), "{run}");
    let log = shop.project.read("log");
    assert!(log.contains("read-only") && !log.contains("extract"), "{log}");
    assert_eq!(shop.server.applied().0, 51, "the change goes out once it can be noted");
    shop.assert_mirrored();
}

#[test]
fn a_state_of_another_user_stops_a_run_and_stays_as_it_is() {
    let mut shop = shop(50);
    shop.run(0);
    if !rustix::process::getuid().is_root() {
        return did_not_run("a state of another user", "only root can give a folder away", &"");
    }
    // Somebody without rights runs the program on a state of root's.
    let program = shop.project.path("outflow");
    std::fs::hard_link(binary(), &program).or_else(|_| std::fs::copy(binary(), &program).map(drop)).unwrap();
    std::fs::set_permissions(shop.project.root(), std::fs::Permissions::from_mode(0o755)).unwrap();
    shop.table.set(7, "name", "changed meanwhile");
    shop.write();
    let files = shop.project.files("state");
    let nobody = Outflow::at(&shop.project).program("setpriv").args("--reuid=65534 --regid=65534 --clear-groups");
    let run = nobody.arg(&program).args("run --log-format json").run().expect(1);
    assert!(run.stderr.contains("belongs to user 0, and this is user 65534") && !run.stderr.contains("extract"), "{run}");
    assert_eq!(shop.project.files("state"), files);
    assert_eq!(shop.server.applied().0, 50);
    converges(&mut shop, "back with its owner");
}

/// Gives a folder and all that is in it to a user.
fn give(folder: &Path, user: u32) {
    std::os::unix::fs::lchown(folder, Some(user), None).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            give(&path, user);
        } else {
            std::os::unix::fs::lchown(&path, Some(user), None).unwrap();
        }
    }
}

#[test]
fn root_too_leaves_the_state_of_another_user_alone() {
    let mut shop = shop(50);
    shop.run(0);
    if !rustix::process::getuid().is_root() {
        return did_not_run("root and a state of another user", "only root can give a folder away", &"");
    }
    give(&shop.project.path("state"), 65534);
    shop.table.set(7, "name", "changed meanwhile");
    shop.write();
    let files = shop.project.files("state");
    let run = shop.outflow("run --log-format json").expect(1);
    assert!(run.stderr.contains("belongs to user 65534, and this is user 0") && run.stderr.contains("chown -R 0"), "{run}");
    assert!(!run.stderr.contains("\"extract"), "{run}");
    let found = shop.outflow("doctor").expect(1);
    assert!(found.stdout.contains("belongs to user 65534"), "{found}");
    assert_eq!((shop.project.files("state"), shop.server.applied().0), (files, 50), "nothing was written or sent");
    give(&shop.project.path("state"), 0);
    converges(&mut shop, "back with its owner");
}

#[test]
fn what_only_reads_works_on_a_state_that_cannot_be_written_and_leaves_it_as_it_is() {
    let mut shop = shop(50);
    shop.run(0);
    shop.table.set(7, "name", "changed meanwhile");
    shop.write();
    let program = shop.project.path("outflow");
    std::fs::hard_link(binary(), &program).or_else(|_| std::fs::copy(binary(), &program).map(drop)).unwrap();
    let temporary = shop.project.path("temporary");
    std::fs::create_dir(&temporary).unwrap();
    // The owner, who is not root: nothing keeps root from writing.
    let is_root = rustix::process::getuid().is_root();
    let close = if is_root { "chown -R 65534:65534 . && chmod -R a-w state" } else { "chmod -R a-w state" };
    assert!(std::process::Command::new("sh").args(["-c", close]).current_dir(shop.project.root()).status().unwrap().success());
    let outflow = |args: &str| {
        let outflow = Outflow::at(&shop.project).env("TMPDIR", &temporary);
        let outflow =
            if is_root { outflow.program("setpriv").args("--reuid=65534 --regid=65534 --clear-groups").arg(&program) } else { outflow };
        outflow.args(args).run()
    };
    let rights = || std::fs::metadata(shop.project.path("state")).unwrap().permissions().mode() & 0o777;
    let (files, closed) = (shop.project.files("state"), rights());
    assert_eq!(closed & 0o222, 0);
    let commands =
        ["history", "show", "pending", "diff people --versions", "diff people", "plan", "gc --dry-run", "test mirror --record 3"];
    for command in commands {
        outflow(command).expect(0);
    }
    assert!(outflow("plan").stdout.contains('7'));
    let refused = outflow("run --log-format json").expect(1);
    assert!(refused.stderr.contains("Permission denied") && !refused.stderr.contains("extract"), "{refused}");
    std::fs::set_permissions(shop.project.path("state"), std::fs::Permissions::from_mode(closed)).unwrap();
    assert_eq!((shop.project.files("state"), shop.project.files("temporary")), (files, Vec::new()), "nothing is left behind");
    let open = "chmod -R u+w state && if [ $(id -u) = 0 ]; then chown -R 0:0 .; fi";
    assert!(std::process::Command::new("sh").args(["-c", open]).current_dir(shop.project.root()).status().unwrap().success());
    converges(&mut shop, "open for writing again");
}
