//! The made-up shop: customers and their orders, with the untidy values that real data has.
//!
//! Nulls, empty texts and lists, other alphabets, quotation marks and commas, e-mail addresses typed carelessly, decimals that are
//! zero or negative, timestamps in three units and zones, structs that are null or hold nulls, lists, and JSON in a CSV column.
//!
//! Invariants: orders are numbered by time; a customer pays in the currency of one country; the last moment is [`END`].

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, ListBuilder, RecordBatch, StringArray, StringBuilder, StructArray,
    TimestampMicrosecondArray, TimestampMillisecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use outflow_contract::{Error, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::json;

use super::draw::Draw;
use super::names::{COUNTRIES, Country, DOMAINS, ENGRAVINGS, PLANS, PRODUCTS, TAGS};

/// How many customers there are.
pub(super) const CUSTOMERS: usize = 20_000;

const DAY: i64 = 24 * 60 * 60;
/// The shop opened: 2021-01-04T08:00:00Z, in seconds.
const OPENED: i64 = 1_609_747_200;
/// Nothing in the data is later: 2026-07-01T00:00:00Z, in seconds.
const END: i64 = 1_782_864_000;
/// The model `orders` begins here, a year before the end.
const WINDOW_START: i64 = END - 365 * DAY;

/// Everything of one seed.
pub(super) struct Shop {
    customers: Vec<Customer>,
    orders: Vec<Order>,
}

struct Customer {
    id: String,
    country: &'static Country,
    email: Option<String>,
    first_name: String,
    last_name: String,
    phone: Option<String>,
    city: String,
    /// Days since 1970.
    birthday: Option<i32>,
    signup_us: i64,
    last_seen_ms: Option<i64>,
    plan: &'static str,
    credit_cents: Option<i64>,
    marketing_consent: Option<bool>,
    address: Option<Address>,
    tags: Option<Vec<&'static str>>,
}

struct Address {
    street: Option<String>,
    city: String,
    zip: Option<String>,
}

struct Order {
    /// Its place in `Shop::customers`.
    customer: usize,
    /// In seconds.
    ordered_at: i64,
    status: &'static str,
    total_cents: i64,
    items: serde_json::Value,
}

/// What the project's texts say of the data.
pub(super) struct Facts {
    /// How many customers.
    pub(super) customers: usize,
    /// How many orders.
    pub(super) orders: usize,
    /// How many orders the model `orders` returns.
    pub(super) orders_in_model: usize,
    refund_order: String,
    refund_customer: String,
    refund_total: String,
    refund_currency: &'static str,
    erased_customer: String,
}

impl Facts {
    /// The places of a template, each with what stands there.
    pub(super) fn places(&self) -> [(&'static str, String); 10] {
        [
            ("@CUSTOMERS@", thousands(self.customers)),
            ("@ORDERS@", thousands(self.orders)),
            ("@MODEL_ORDERS@", thousands(self.orders_in_model)),
            ("@REFUND_ORDER@", self.refund_order.clone()),
            ("@REFUND_CUSTOMER@", self.refund_customer.clone()),
            ("@REFUND_TOTAL@", self.refund_total.clone()),
            ("@REFUND_CURRENCY@", self.refund_currency.to_owned()),
            ("@ERASED_CUSTOMER@", self.erased_customer.clone()),
            ("@ERASED_AT@", instant(END)),
            ("@WINDOW_START@", instant(WINDOW_START)),
        ]
    }
}

impl Shop {
    /// The shop of `seed`.
    pub(super) fn generate(seed: u64) -> Self {
        let mut draw = Draw::new(seed, "customers");
        let customers: Vec<Customer> = (1..=CUSTOMERS).map(|number| customer(&mut draw, number)).collect();
        let mut draw = Draw::new(seed, "orders");
        let mut orders = Vec::new();
        for (place, customer) in customers.iter().enumerate() {
            for _ in 0..order_count(&mut draw) {
                orders.push(order(&mut draw, place, customer));
            }
        }
        // Numbered as they came in. The sort is stable, so equal moments keep one order too.
        orders.sort_by_key(|order| order.ordered_at);
        Self { customers, orders }
    }

    /// What the texts say. The refund is of a recent order whose customer has others; the erased customer has none in the model.
    pub(super) fn facts(&self) -> Facts {
        let mut in_model = vec![0_usize; self.customers.len()];
        for order in self.orders.iter().filter(|order| order.in_model()) {
            in_model[order.customer] += 1;
        }
        let refundable = |order: &Order| {
            let named = self.customers[order.customer].email.is_some();
            order.in_model() && order.status == "paid" && order.total_cents > 2_000 && named && in_model[order.customer] > 1
        };
        let refund = self.orders.iter().rposition(refundable).unwrap_or(0);
        let erased = (0..self.customers.len()).find(|&place| in_model[place] == 0 && self.customers[place].email.is_some()).unwrap_or(0);
        let order = &self.orders[refund];
        Facts {
            customers: self.customers.len(),
            orders: self.orders.len(),
            orders_in_model: in_model.iter().sum(),
            refund_order: order_id(refund),
            refund_customer: self.customers[order.customer].id.clone(),
            refund_total: cents(order.total_cents),
            refund_currency: self.customers[order.customer].country.currency,
            erased_customer: self.customers[erased].id.clone(),
        }
    }

    /// `data/orders.csv`: quoted as RFC 4180 says, each order on one line.
    pub(super) fn orders_csv(&self) -> Vec<u8> {
        let mut text = String::with_capacity(self.orders.len() * 220);
        text.push_str("order_id,customer_id,ordered_at,status,total,currency,items\n");
        for (place, order) in self.orders.iter().enumerate() {
            let customer = &self.customers[order.customer];
            let items = order.items.to_string().replace('"', "\"\"");
            let line = [
                &order_id(place),
                &customer.id,
                &local_time(order.ordered_at, customer.country),
                order.status,
                &cents(order.total_cents),
                customer.country.currency,
            ];
            text.push_str(&line.join(","));
            text.push_str(",\"");
            text.push_str(&items);
            text.push_str("\"\n");
        }
        text.into_bytes()
    }

    /// `data/erasures.csv`: the ones before were forgotten by the shop too, so their ids are past the customers'.
    pub(super) fn erasures_csv(&self) -> Vec<u8> {
        let mut text = String::from("customer_id,requested_at\n");
        for (number, days) in [(1, 400), (2, 210), (3, 35)] {
            // Writing to a `String` cannot fail.
            let _infallible = writeln!(text, "{},{}", customer_id(self.customers.len() + number), instant(END - days * DAY));
        }
        text.into_bytes()
    }

    /// `data/customers.parquet`.
    pub(super) fn customers_parquet(&self) -> Result<Vec<u8>> {
        let failed = |error: parquet::errors::ParquetError| Error::io("could not encode the customers as Parquet", error);
        let batch = self.customers_batch().map_err(|error| Error::io("could not build the customers", error))?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).map_err(failed)?;
        writer.write(&batch).map_err(failed)?;
        writer.close().map_err(failed)?;
        Ok(bytes)
    }

    fn customers_batch(&self) -> Result<RecordBatch, arrow::error::ArrowError> {
        let all = &self.customers;
        let credit = all.iter().map(|c| c.credit_cents.map(i128::from)).collect::<Decimal128Array>().with_precision_and_scale(12, 2)?;
        let signup = TimestampMicrosecondArray::from_iter_values(all.iter().map(|c| c.signup_us)).with_timezone("UTC");
        let seen = all.iter().map(|c| c.last_seen_ms).collect::<TimestampMillisecondArray>().with_timezone("Europe/Oslo");
        let columns: Vec<(&str, ArrayRef, bool)> = vec![
            ("customer_id", texts(all.iter().map(|c| Some(c.id.as_str()))), false),
            ("email", texts(all.iter().map(|c| c.email.as_deref())), true),
            ("first_name", texts(all.iter().map(|c| Some(c.first_name.as_str()))), true),
            ("last_name", texts(all.iter().map(|c| Some(c.last_name.as_str()))), true),
            ("phone", texts(all.iter().map(|c| c.phone.as_deref())), true),
            ("country", texts(all.iter().map(|c| Some(c.country.code))), true),
            ("city", texts(all.iter().map(|c| Some(c.city.as_str()))), true),
            ("birthday", Arc::new(all.iter().map(|c| c.birthday).collect::<Date32Array>()), true),
            ("signup_at", Arc::new(signup), false),
            ("last_seen_at", Arc::new(seen), true),
            ("plan", texts(all.iter().map(|c| Some(c.plan))), true),
            ("credit", Arc::new(credit), true),
            ("marketing_consent", Arc::new(all.iter().map(|c| c.marketing_consent).collect::<BooleanArray>()), true),
            ("address", Arc::new(addresses(all)?), true),
            ("tags", tags(all), true),
        ];
        RecordBatch::try_from_iter_with_nullable(columns)
    }
}

impl Order {
    /// Does the model `orders` return it? The same conditions as in its SQL.
    fn in_model(&self) -> bool {
        matches!(self.status, "paid" | "refunded") && self.ordered_at >= WINDOW_START
    }
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn addresses(customers: &[Customer]) -> Result<StructArray, arrow::error::ArrowError> {
    let member = |pick: fn(&Address) -> Option<&str>| texts(customers.iter().map(move |c| c.address.as_ref().and_then(pick)));
    let fields: Fields = ["street", "city", "zip"].into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let members = vec![member(|a| a.street.as_deref()), member(|a| Some(&a.city)), member(|a| a.zip.as_deref())];
    StructArray::try_new(fields, members, Some(customers.iter().map(|c| c.address.is_some()).collect::<NullBuffer>()))
}

fn tags(customers: &[Customer]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for customer in customers {
        for tag in customer.tags.iter().flatten() {
            builder.values().append_value(tag);
        }
        builder.append(customer.tags.is_some());
    }
    Arc::new(builder.finish())
}

fn customer(draw: &mut Draw, number: usize) -> Customer {
    let country = draw.weighted(COUNTRIES);
    let (first_name, first_ascii) = *draw.pick(country.first_names);
    let (last_name, last_ascii) = *draw.pick(country.last_names);
    // The shop grew: the later half of the time brought three quarters of the customers.
    let (early, late) = (draw.between(0, END - OPENED - DAY), draw.between(0, END - OPENED - DAY));
    let signup = OPENED + early.max(late);
    let city = (*draw.pick(country.cities)).to_owned();
    let sunflower = if draw.per_mille(4) { " 🌻" } else { "" };
    Customer {
        id: customer_id(number),
        email: email(draw, first_ascii, last_ascii, number),
        first_name: format!("{first_name}{sunflower}"),
        last_name: last_name.to_owned(),
        phone: (!draw.per_mille(180)).then(|| format!("{} {:08}", country.dialling, draw.below(100_000_000))),
        // From 1938 to 2007; before 1970 the number of days is negative.
        birthday: (!draw.per_mille(220)).then(|| draw.between(-11_688, 13_879) as i32),
        signup_us: signup * 1_000_000 + draw.between(0, 999_999),
        last_seen_ms: (!draw.per_mille(150)).then(|| draw.between(signup, END - 1) * 1000 + draw.between(0, 999)),
        plan: draw.weighted::<&str>(PLANS),
        credit_cents: credit(draw),
        marketing_consent: *draw.weighted(&[(55, Some(true)), (25, Some(false)), (20, None)]),
        address: address(draw, country, &city),
        tags: customer_tags(draw),
        city,
        country,
    }
}

/// As people type it: in capitals, with a space before or after, or not at all.
fn email(draw: &mut Draw, first: &str, last: &str, number: usize) -> Option<String> {
    let tidy = format!("{first}.{last}{number}@{}", draw.weighted(DOMAINS));
    match draw.below(100) {
        0..3 => None,
        3 => Some(String::new()),
        4..9 => Some(tidy.to_uppercase()),
        9 | 10 => Some(format!(" {tidy}")),
        11 | 12 => Some(format!("{tidy}  ")),
        13..16 => Some(tidy.replacen('.', "+shop.", 1)),
        _ => Some(tidy),
    }
}

fn credit(draw: &mut Draw) -> Option<i64> {
    match draw.below(100) {
        0..10 => None,
        10..60 => Some(0),
        60..66 => Some(-draw.between(1, 15_000)),
        66 => Some(draw.between(10_000_000, 999_999_999)),
        _ => Some(draw.between(1, 50_000)),
    }
}

fn address(draw: &mut Draw, country: &Country, city: &str) -> Option<Address> {
    if draw.per_mille(120) {
        return None;
    }
    let digits = country.zip_digits;
    // The zeros in front belong to a postal code, which therefore is text.
    let zip = format!("{:0digits$}", draw.below(10_u64.pow(digits as u32)));
    let street = format!("{} {}", draw.pick(country.streets), draw.between(1, 120));
    Some(Address { street: (!draw.per_mille(30)).then_some(street), city: city.to_owned(), zip: (!draw.per_mille(20)).then_some(zip) })
}

fn customer_tags(draw: &mut Draw) -> Option<Vec<&'static str>> {
    let count = *draw.weighted(&[(10, None), (35, Some(0)), (35, Some(1)), (15, Some(2)), (5, Some(3))]);
    // From one place onwards, so that no label comes twice.
    let first = draw.below(TAGS.len() as u64) as usize;
    count.map(|count: usize| (0..count).map(|step| TAGS[(first + step * 2) % TAGS.len()]).collect())
}

/// A fifth never buys, most buy a few times, and a few buy all the time. About three on average.
fn order_count(draw: &mut Draw) -> i64 {
    match draw.below(100) {
        0..20 => 0,
        20..45 => 1,
        45..75 => draw.between(2, 3),
        75..95 => draw.between(4, 7),
        _ => draw.between(8, 24),
    }
}

fn order(draw: &mut Draw, place: usize, customer: &Customer) -> Order {
    let ordered_at = draw.between(customer.signup_us / 1_000_000 + 60, END - 1);
    let mut items = Vec::new();
    let mut total_cents = 0;
    for _ in 0..*draw.weighted(&[(50, 1), (28, 2), (14, 3), (6, 5), (2, 9)]) {
        let product = draw.weighted(PRODUCTS);
        let quantity = *draw.weighted(&[(75, 1), (17, 2), (5, 3), (3, 12)]);
        total_cents += product.price_cents * quantity;
        let mut item = json!({ "sku": product.sku, "name": product.name, "price": price(product.price_cents), "qty": quantity });
        if product.engravable && draw.per_mille(250) {
            // A null is an engraving still to be chosen; most items have no such member at all.
            item["engraving"] = if draw.per_mille(100) { json!(null) } else { json!(draw.pick(ENGRAVINGS)) };
        }
        items.push(item);
    }
    if draw.per_mille(60) {
        total_cents -= total_cents / 10;
    }
    // What is still unpaid two weeks later is cancelled.
    let open = if ordered_at > END - 14 * DAY { "pending" } else { "cancelled" };
    let status = *draw.weighted(&[(83, "paid"), (6, "refunded"), (7, "cancelled"), (4, open)]);
    Order { customer: place, ordered_at, status, total_cents, items: items.into() }
}

/// A price as a JSON number. Half a step of a float is far below a cent, so it prints as it should.
fn price(cents: i64) -> f64 {
    cents as f64 / 100.0
}

fn customer_id(number: usize) -> String {
    format!("C{number:06}")
}

fn order_id(place: usize) -> String {
    format!("O{:06}", place + 1)
}

/// `1234` as `12.34`. Never negative here.
fn cents(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// `12345` as `12,345`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// RFC 3339, in UTC.
fn instant(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// RFC 3339 with the offset of the customer's clock. Rules are kept simple: summer is April to October.
fn local_time(seconds: i64, country: &Country) -> String {
    let moment = Timestamp::from_second(seconds).unwrap_or_default();
    let summer = country.summer_time && (4..=10).contains(&moment.to_zoned(TimeZone::UTC).month());
    let hours = country.winter_offset + i64::from(summer);
    let offset = Offset::from_seconds(hours as i32 * 3600).unwrap_or(Offset::UTC);
    format!("{}{:+03}:00", offset.to_datetime(moment), hours)
}
