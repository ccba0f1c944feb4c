//! Requests that are refused as a whole, with many guilty records in them, sync after sync.

use outflow_tests::Server;
use serde_json::Value;

use super::{MIRROR, Shop, counts};

/// A shop of `n` people, in requests of a thousand, of whom the destination never takes `guilty`.
fn shop(n: i64, guilty: std::ops::RangeInclusive<i64>) -> Shop {
    let shop = Shop::with(n, Server::start(), MIRROR, "batch: { records: 1000, body: array }");
    let guilty: Vec<String> = guilty.map(|id| id.to_string()).collect();
    shop.server.refuse(guilty.iter().map(String::as_str));
    shop
}

/// How many records failed, by code.
fn reasons(result: &Value) -> Vec<(&str, u64)> {
    let groups = result["failure_groups"].as_array().unwrap();
    groups.iter().map(|group| (group["code"].as_str().unwrap(), group["records"].as_u64().unwrap())).collect()
}

/// Gives the people of these ids another name.
fn rename(shop: &mut Shop, ids: std::ops::RangeInclusive<i64>, name: &str) {
    for id in ids {
        shop.table.set(id, "name", format!("{name} {id}"));
    }
    shop.write();
}

#[test]
fn many_guilty_records_keep_no_good_one_back_in_the_first_sync_nor_in_any_later_one() {
    let mut shop = shop(3_000, 1..=150);
    let result = shop.run(3);
    assert_eq!((counts(&result, "delivered").0, reasons(&result)), (2_850, vec![("http_422", 150)]), "{result}");
    let requests = shop.server.take_requests().len();
    assert!(requests <= 3 + 2 * 150 * 10, "{requests} requests");
    for round in 0..3 {
        rename(&mut shop, 2_500..=2_599, &format!("round {round}"));
        let result = shop.run(3);
        assert_eq!((counts(&result, "delivered").1, reasons(&result)), (100, vec![("http_422", 150)]), "{result}");
        let requests = shop.server.take_requests();
        assert_eq!(requests[0].payloads.len(), 100, "what changed goes first, and without the guilty ones");
        assert!(requests.len() < 150, "{} requests for what is refused as ever", requests.len());
    }
    // One of them is mended at the source, and goes out at once, whatever becomes of the others.
    rename(&mut shop, 77..=77, "mended");
    shop.server.accept_all();
    let others: Vec<String> = (1..=150).filter(|&id| id != 77).map(|id: i64| id.to_string()).collect();
    shop.server.refuse(others.iter().map(String::as_str));
    assert_eq!(counts(&shop.run(3), "delivered").0, 1);
    shop.server.accept_all();
    assert_eq!(counts(&shop.run(0), "delivered").0, 149);
    shop.assert_mirrored();
}

#[test]
fn a_few_good_ones_among_those_that_are_refused_are_found_sync_by_sync() {
    let mut shop = shop(400, 1..=397);
    let (mut found, mut syncs) = (0, 0);
    while found < 3 {
        syncs += 1;
        assert!(syncs <= 400 / 80 + 1, "{found} in {syncs} syncs");
        shop.outflow("run");
        let result = shop.result();
        found += counts(&result, "delivered").0;
        let requests = shop.server.take_requests().len();
        assert!(requests < 300 || found > 0, "{requests} requests in sync {syncs}");
        // Those that were never tried alone are told from those that were.
        let told: u64 = reasons(&result).iter().map(|(_, records)| records).sum();
        assert_eq!(told, counts(&result, "failed").0, "{result}");
        assert!(reasons(&result).iter().all(|(code, _)| ["http_422", "refused_together"].contains(code)), "{result}");
    }
    // Whatever waits, new ones are not kept back.
    rename(&mut shop, 398..=400, "again");
    assert_eq!(counts(&shop.run(3), "delivered").1, 3);
    shop.server.accept_all();
    assert_eq!(counts(&shop.run(0), "delivered").0, 397);
    shop.assert_mirrored();
}

#[test]
fn a_wrong_setting_costs_few_requests_and_once_it_is_mended_everything_goes_out() {
    let mut shop = shop(5_000, 1..=5_000);
    for sync in 1..=2 {
        let result = shop.run(if sync == 1 { 1 } else { 3 });
        assert_eq!(counts(&result, "failed").0, 5_000);
        let group = &result["failure_groups"][0];
        assert_eq!(group["code"], "refused_together", "{group}");
        let message = group["message"].as_str().unwrap();
        assert!(message.contains("the status 422") && message.contains("not tried alone") && message.contains("is refused"), "{message}");
        let requests = shop.server.take_requests().len();
        assert!(requests < 400, "{requests} requests in sync {sync}");
    }
    let pending = shop.outflow("pending mirror").expect(0);
    assert!(pending.stdout.contains("not tried alone"), "{pending}");
    // New ones are not kept back by those, and do not go with them.
    shop.server.accept_all();
    assert_eq!(counts(&shop.run(0), "delivered").0, 5_000);
    assert!(shop.server.take_requests().len() <= 7, "as many requests as it takes");
    shop.assert_mirrored();
}
