//! Who gets an order: name, email address, phone number, postal address.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    error::{BadValue, Invalid},
    json::Fields,
    text::{at_most, line, text_type},
    user::Email,
};

/// Who gets an order, as they said when they ordered.
///
/// ```
/// use bookhub_core::Customer;
/// use serde_json::json;
///
/// let json = json!({"name": "Alice", "phone": "+91 98765 43210", "address": "1 Hill Road\nMumbai"});
/// let customer = Customer::from_json(json.as_object().unwrap()).unwrap();
/// assert_eq!(customer.name.as_str(), "Alice");
/// assert_eq!(customer.email, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// What they are called.
    pub name: CustomerName,
    /// Where to write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// Where to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Where to deliver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

impl Customer {
    /// Reads `name`, and `email`, `phone` and `address`, which may be absent or `null`.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut fields = Fields::of(object, &["name", "email", "phone", "address"], &[]);
        let name = fields.required("name");
        let email = fields.nullable("email").flatten();
        let phone = fields.nullable("phone").flatten();
        let address = fields.nullable::<Address>("address").flatten();
        let address = address.filter(|address| !address.as_str().is_empty());
        fields.finish(name.map(|name| Self { name, email, phone, address }))
    }
}

text_type! {
    /// What a customer is called: one line of 1 to 200 characters, trimmed.
    ///
    /// ```
    /// use bookhub_core::CustomerName;
    ///
    /// assert_eq!(CustomerName::new(" Alice Liddell ").unwrap().as_str(), "Alice Liddell");
    /// assert!(CustomerName::new("").is_err());
    /// ```
    CustomerName, name, "a text of 1 to 200 characters"
}

text_type! {
    /// A phone number as people write it: 3 to 40 digits, spaces and `+ - ( )`, a digit among them.
    ///
    /// ```
    /// use bookhub_core::Phone;
    ///
    /// assert!(Phone::new("+91 (22) 2345-6789").is_ok());
    /// assert!(Phone::new("call me").is_err());
    /// ```
    Phone, phone, "a phone number of 3 to 40 digits, spaces and + - ( )"
}

text_type! {
    /// Where an order is delivered: at most 1,000 characters, trimmed. Lines end in `\n`.
    ///
    /// ```
    /// use bookhub_core::Address;
    ///
    /// let address = Address::new("1 Hill Road\r\nMumbai 400050").unwrap();
    /// assert_eq!(address.as_str(), "1 Hill Road\nMumbai 400050");
    /// ```
    Address, address, "a text of at most 1000 characters"
}

fn name(text: &str) -> Result<Cow<'_, str>, BadValue> {
    line(text, 200).map(Cow::Borrowed)
}

fn phone(text: &str) -> Result<Cow<'_, str>, BadValue> {
    let text = text.trim();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b" +-()".contains(&b));
    let has_digit = text.bytes().any(|b| b.is_ascii_digit());
    if plain && has_digit && (3..=40).contains(&text.len()) {
        Ok(text.into())
    } else {
        Err(BadValue::new("Must be a phone number: 3 to 40 digits, spaces and + - ( )."))
    }
}

fn address(text: &str) -> Result<Cow<'_, str>, BadValue> {
    let text = text.trim();
    let text: Cow<'_, str> =
        if text.contains('\r') { text.replace("\r\n", "\n").into() } else { text.into() };
    at_most(&text, 1_000)?;
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(BadValue::new("Must not have control characters except line breaks."));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_numbers_have_digits_and_little_else() {
        for good in ["112", "+91 98765 43210", "(022) 2345-6789", &"1".repeat(40)] {
            assert!(Phone::new(good).is_ok(), "{good}");
        }
        for bad in ["", "12", "---", "( )", "12a", "112\n113", "१२३", &"1".repeat(41)] {
            assert!(Phone::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn addresses_may_have_several_lines() {
        for good in ["", "1 Hill Road", "a\nb\nc", &"é".repeat(1_000)] {
            assert!(Address::new(good).is_ok(), "{good}");
        }
        for bad in ["a\tb", "a\0b", "a\rb", &"é".repeat(1_001)] {
            assert!(Address::new(bad).is_err(), "{bad:?}");
        }
    }
}
