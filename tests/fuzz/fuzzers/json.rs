//! The fuzzer of [`outflow_fuzz::json`].

#![no_main]
#![allow(unsafe_code, missing_docs, reason = "what the macro writes is called by the fuzzer's own main function")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    outflow_fuzz::json(data);
});
