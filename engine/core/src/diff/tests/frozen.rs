//! Golden values, one or more for each type: the same on every machine and in every later version, or `HASH_FORMAT` has to change.

use arrow::array::{
    BinaryArray, Date32Array, Decimal256Array, DurationSecondArray, FixedSizeListArray, IntervalMonthDayNanoArray, Time64MicrosecondArray,
    UInt8Array,
};
use arrow::datatypes::{Int32Type, IntervalMonthDayNano, i256};

use super::*;
use crate::diff::HASH_FORMAT;

fn values() -> Vec<(&'static str, ArrayRef)> {
    let text = |text: &str| arc(StringArray::from(vec![text]));
    let a = || (Arc::new(Field::new("a", DataType::Int64, true)), arc(Int64Array::from(vec![1])));
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None, Some(2)])]);
    let fixed = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None, Some(2)])], 3);
    let interval = IntervalMonthDayNano { months: 1, days: -2, nanoseconds: 3 };
    vec![
        ("null", arc(NullArray::new(1))),
        ("true", arc(BooleanArray::from(vec![true]))),
        ("42", arc(Int64Array::from(vec![42]))),
        ("-42", arc(Int8Array::from(vec![-42]))),
        ("200", arc(UInt8Array::from(vec![200]))),
        ("2^64 - 1", arc(UInt64Array::from(vec![u64::MAX]))),
        ("0.5", arc(Float64Array::from(vec![0.5]))),
        ("NaN", arc(Float64Array::from(vec![f64::NAN]))),
        ("1e300", arc(Float64Array::from(vec![1e300]))),
        ("12.34", arc(Decimal128Array::from(vec![1_234]).with_precision_and_scale(12, 2).unwrap())),
        ("10^-20", arc(Decimal256Array::from(vec![i256::ONE]).with_precision_and_scale(60, 20).unwrap())),
        ("instant", arc(TimestampSecondArray::from(vec![1_700_000_000]).with_timezone("UTC"))),
        ("wall time", arc(TimestampMicrosecondArray::from(vec![-1]))),
        ("far wall time", arc(TimestampSecondArray::from(vec![1 << 40]))),
        ("date", arc(Date32Array::from(vec![20_000]))),
        ("time", arc(Time64MicrosecondArray::from(vec![1]))),
        ("duration", arc(DurationSecondArray::from(vec![1]))),
        ("interval", arc(IntervalMonthDayNanoArray::from(vec![interval]))),
        ("text of 0", text("")),
        ("text of 4", text("Zoë")),
        ("text of 12", text("hello world!")),
        ("text of 13", text("hello, world!")),
        ("text of 16", text("0123456789abcdef")),
        ("text of 36", text("7c9e6679-7425-40de-944b-e07fc1f90ae7")),
        ("binary", arc(BinaryArray::from(vec![b"Zo\xeb".as_slice()]))),
        ("struct", arc(StructArray::from(vec![a()]))),
        ("list", arc(list)),
        ("fixed list", arc(fixed)),
    ]
}

#[test]
fn the_hash_is_frozen() {
    let mut lines: Vec<String> = values().into_iter().map(|(name, array)| format!("{name}: {}", of(array)[0])).collect();
    let id = ("id", arc(Int64Array::from(vec![42])));
    let (key, row) = hashes([vec![id], values()].concat())[0];
    lines.push(format!("all: {key} {row}"));
    assert_eq!((HASH_FORMAT, lines.join("\n").as_str()), (2, FROZEN.trim()), "frozen is:\n{}", lines.join("\n"));
}

const FROZEN: &str = "
null: 964fdfb2683625c95f5150ab7e9dbeab
true: 3c493110d85698558700a4bcba546d7c
42: 42baeccb720cc5c1d0110406d824548c
-42: f0f081a367abedeba5b5a4a3a3f5b808
200: da0f61e7c49ee2efdb762c6aa84577c3
2^64 - 1: 20313c87330b5d652eb83898867dc164
0.5: 3af53ac1622880272dbe01240c5e1e4b
NaN: 87a37db878207cd1da02c0a3944d142a
1e300: 27735760c920f9859b77377308788b60
12.34: 87559db356ac813daf9c62e4d820bd24
10^-20: 9c97d7c84d2822bb46ea398fa631c905
instant: 52ed4d5cf0d21e83bc15143db9eb0706
wall time: 41ba52296fad94a18a91cb41ccee72a5
far wall time: b0081b4ab509755d8c4172a18568e708
date: db3acfdbd3c8b7bddc6f97bd39ccb598
time: 42824a8b87aa9ff9862ab4e94b5562e1
duration: e8fca6040f7eed7f38a7f7efbaa772f2
interval: e2d7a3fa1900db4d4a676d7b30eb1b7f
text of 0: 3db575649eef2c79dd691225fe2ff0dc
text of 4: 3bf77d1a738693ed47723906a50727d3
text of 12: 7890c56a1709cf192a6684e54065e3fd
text of 13: 133ed4239e3c471bb679ecee47d6950f
text of 16: 8e6fae7dc2fdb61bd7fb314cec723cc0
text of 36: bf434aa3763743779b2ba95dfaeb977f
binary: 27c2fcfecb41c81b7a2f9b1701f980b9
struct: b1a405b59fd88db7000b824d08359c91
list: 0887ef018aec33f11c6047fc460026f9
fixed list: 0887ef018aec33f11c6047fc460026f9
all: 75edbaa2c19090caf8a41b6ec50aa5ad cc49438fd7bc8da566f7def853ae841d
";
