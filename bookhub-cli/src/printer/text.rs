//! Values as people read them: prices, titles, a book in a sentence. Pure functions.

use serde_json::Number;

use crate::shelves::BookView;

/// A price in rupees with Indian grouping: ₹1,29,999.50.
pub(crate) fn rupees(price: &Number) -> String {
    let text = price.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return format!("₹{text}");
    }
    let whole = grouped(whole);
    match decimals.trim_end_matches('0') {
        "" => format!("{sign}₹{whole}"),
        decimals => format!("{sign}₹{whole}.{decimals:0<2}"),
    }
}

/// The last three digits stand together, those before in pairs.
fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 3 / 2);
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && (left == 3 || left > 3 && left % 2 == 1) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text that came from elsewhere on one line, and without what could steer a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let harmless = |c: char| {
        if c.is_control() || is_invisible(c) { ' ' } else { c }
    };
    text.trim().chars().map(harmless).collect()
}

/// Text that may repeat what somebody has typed, without the user and password of a connection string
/// that stood where it does not belong. A password may have anything in it, so all is hidden that could
/// be of one.
pub(crate) fn without_passwords(text: &str) -> String {
    let hidden = text.split_once("://").and_then(|(before, behind)| {
        let (_, place) = behind.rsplit_once('@')?;
        Some(format!("{before}://…@{place}"))
    });
    hidden.unwrap_or_else(|| text.to_owned())
}

/// What turns the direction of text, and so can make it look like another.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A book in a line: its title, author, price and stock.
pub(crate) fn book_line(book: &BookView) -> String {
    let BookView { title, author, price, stock, .. } = book;
    let text = format!("“{title}” by {author}, {}, stock {stock}", rupees(price));
    one_line(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_grouped_as_in_india() {
        for (json, shown) in [
            ("0", "₹0"),
            ("899", "₹899"),
            ("899.5", "₹899.50"),
            ("899.0", "₹899"),
            ("1299", "₹1,299"),
            ("12999", "₹12,999"),
            ("129999.5", "₹1,29,999.50"),
            ("1299999", "₹12,99,999"),
            ("10000000", "₹1,00,00,000"),
            ("-1299.25", "-₹1,299.25"),
            ("1e300", "₹1e300"),
        ] {
            let number: Number = serde_json::from_str(json).unwrap();
            let expected = if json == "1e300" { format!("₹{number}") } else { shown.to_owned() };
            assert_eq!(rupees(&number), expected, "{json}");
        }
    }

    #[test]
    fn no_text_repeats_a_password() {
        for (said, shown) in [
            ("no 'mongodb://a:b@c/d' here", "no 'mongodb://…@c/d' here"),
            ("mongodb+srv://a:b@b@c", "mongodb+srv://…@c"),
            ("mongodb://a:p w://x\n@d?@c/d e", "mongodb://…@c/d e"),
            ("see http://a and b", "see http://a and b"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_passwords(said), shown);
        }
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(one_line("a\u{1b}[31mb\nc\u{202e}d "), "a [31mb c d");
    }
}
