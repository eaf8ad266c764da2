//! Money: what a book costs ([`Price`]), what several cost together ([`Amount`]). An integer count
//! of paise inside, a decimal number of rupees outside.

mod amount;
mod price;

use std::fmt;

use serde::Serializer;

pub use amount::Amount;
pub use price::Price;

use crate::error::BadValue;

/// How many paise a decimal number of rupees is; at most `u64::MAX`, whatever it says.
fn parse(text: &str) -> Result<u64, BadValue> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (rupees, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(rupees) || !is_number(decimals) {
        return Err(BadValue::new("Must be a number of rupees such as 899 or 899.5."));
    }
    let decimals = decimals.trim_end_matches('0');
    let hundredths = match decimals.len() {
        0 => 0,
        1 | 2 => decimals.parse::<u64>().unwrap_or(0) * if decimals.len() == 1 { 10 } else { 1 },
        _ => {
            return Err(BadValue::new("Must have at most two decimals: round it to the paisa."));
        }
    };
    let rupees = rupees.parse::<u64>().unwrap_or(u64::MAX);
    let paise = rupees.saturating_mul(100).saturating_add(hundredths);
    if negative && paise > 0 {
        return Err(BadValue::new("Must not be negative: give 0 or more."));
    }
    Ok(paise)
}

/// Writes so many paise as a number of rupees, as short as it can be.
fn show(paise: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (rupees, paise) = (paise / 100, paise % 100);
    match paise {
        0 => write!(f, "{rupees}"),
        _ if paise.is_multiple_of(10) => write!(f, "{rupees}.{}", paise / 10),
        _ => write!(f, "{rupees}.{paise:02}"),
    }
}

/// So many paise as a JSON number of rupees.
fn serialize<S: Serializer>(paise: u64, serializer: S) -> Result<S::Ok, S::Error> {
    if paise.is_multiple_of(100) {
        serializer.serialize_u64(paise / 100)
    } else {
        serializer.serialize_f64(paise as f64 / 100.0)
    }
}
