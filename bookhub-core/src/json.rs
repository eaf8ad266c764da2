//! Reads the fields of a JSON object into domain types and collects every problem on the way.
//! Must not know what the object describes.

use std::{borrow::Cow, ops::RangeInclusive};

use serde_json::{Map, Value};

use crate::error::{BadValue, FieldError, Invalid};

/// A domain type that can be read from a JSON value.
pub(crate) trait FromJson: Sized {
    /// What is expected, as it stands after "Must be": "a text of 1 to 500 characters".
    const EXPECTED: &'static str;

    /// Reads a value, or says what is wrong with it.
    fn from_json(value: &Value) -> Result<Self, BadValue>;
}

/// Problems beyond this number are counted with the last one: nobody reads ten thousand.
const MOST_PROBLEMS: usize = 50;

/// What reads an object inside another one.
type Reader<T> = fn(&Map<String, Value>) -> Result<T, Invalid>;

/// The fields of one object, and what was found wrong so far.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Starts to read `object`, in which only the `known` fields may stand. Those that are
    /// `read_only` get an explanation of their own.
    pub(crate) fn of(object: &'a Map<String, Value>, known: &[&str], read_only: &[&str]) -> Self {
        let strangers = object.keys().filter(|field| !known.contains(&field.as_str()));
        let errors = strangers.take(MOST_PROBLEMS).map(|field| {
            let shown: String = field.chars().take(100).collect();
            if read_only.contains(&field.as_str()) {
                FieldError::new(shown, "Is set by the shop itself: leave it out.")
            } else {
                let known = known.join(", ");
                FieldError::new(shown, format!("Is not known here: leave it out or correct its name. Known fields are {known}."))
            }
        });
        Self { object, errors: errors.collect() }
    }

    /// A field that must be there.
    pub(crate) fn required<T: FromJson>(&mut self, field: &'static str) -> Option<T> {
        if self.object.contains_key(field) {
            self.present(field)
        } else {
            self.refuse(field, format!("Is missing: give {}.", T::EXPECTED));
            None
        }
    }

    /// A field that may be absent, but not `null`.
    pub(crate) fn present<T: FromJson>(&mut self, field: &'static str) -> Option<T> {
        let value = self.object.get(field)?;
        T::from_json(value).map_err(|problem| self.refuse(field, problem)).ok()
    }

    /// A field that may be absent, or `null` for "none".
    pub(crate) fn nullable<T: FromJson>(&mut self, field: &'static str) -> Option<Option<T>> {
        match self.object.get(field)? {
            Value::Null => Some(None),
            _ => self.present(field).map(Some),
        }
    }

    /// An object that must be there, read by `read`.
    pub(crate) fn object<T>(&mut self, field: &'static str, read: Reader<T>) -> Option<T> {
        match self.object.get(field) {
            Some(value) => self.inner(field, value, read),
            None => {
                self.refuse(field, "Is missing: give an object.");
                None
            }
        }
    }

    /// A list of so many objects that must be there, each read by `read`.
    pub(crate) fn list<T>(
        &mut self,
        field: &'static str,
        lengths: RangeInclusive<usize>,
        read: Reader<T>,
    ) -> Option<Vec<T>> {
        let object = self.object;
        let problem = match object.get(field) {
            Some(Value::Array(values)) if lengths.contains(&values.len()) => {
                let name = |place: usize| format!("{field}[{place}]");
                let values = values.iter().enumerate();
                let read: Vec<_> =
                    values.map(|(place, value)| self.inner(&name(place), value, read)).collect();
                return read.into_iter().collect();
            }
            Some(Value::Array(values)) => format!("Has {}", values.len()),
            Some(_) => "Is no list".to_owned(),
            None => "Is missing".to_owned(),
        };
        let (least, most) = lengths.into_inner();
        self.refuse(field, format!("{problem}: give a list of {least} to {most} objects."));
        None
    }

    /// Reads an object in this one; its problems are named by the way to them: `items[1].price`.
    fn inner<T>(&mut self, name: &str, value: &Value, read: Reader<T>) -> Option<T> {
        let Value::Object(object) = value else {
            let problem = format!("Must be an object, not {}.", kind(value));
            self.refuse(name.to_owned(), problem);
            return None;
        };
        let problems = match read(object) {
            Ok(read) => return Some(read),
            Err(problems) => problems.into_errors(),
        };
        let room = MOST_PROBLEMS.saturating_sub(self.errors.len());
        for FieldError { field, message } in problems.into_iter().take(room) {
            self.refuse(format!("{name}.{field}"), message);
        }
        None
    }

    /// Notes a problem.
    pub(crate) fn refuse(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        problem: impl std::fmt::Display,
    ) {
        self.errors.push(FieldError::new(field, problem));
    }

    /// Whether nothing was found wrong so far.
    pub(crate) fn all_good(&self) -> bool {
        self.errors.is_empty()
    }

    /// `value`, unless there were problems.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Invalid> {
        Invalid::unless(self.errors, value)
    }
}

/// The text in `value`.
pub(crate) fn text<T: FromJson>(value: &Value) -> Result<&str, BadValue> {
    value.as_str().ok_or_else(|| wrong_type::<T>(value))
}

/// The whole number in `value`; `5.0` is one too.
pub(crate) fn whole<T: FromJson>(value: &Value) -> Result<i64, BadValue> {
    let Value::Number(number) = value else {
        return Err(wrong_type::<T>(value));
    };
    if let Some(whole) = number.as_i64() {
        return Ok(whole);
    }
    match number.as_f64() {
        Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => Ok(float as i64),
        Some(float) if float.fract() == 0.0 => Ok(if float < 0.0 { i64::MIN } else { i64::MAX }),
        _ => Err(BadValue::new(format!("Must be {}: {number} is no whole number.", T::EXPECTED))),
    }
}

/// Says what was expected instead of `value`.
pub(crate) fn wrong_type<T: FromJson>(value: &Value) -> BadValue {
    BadValue::new(format!("Must be {}, not {}.", T::EXPECTED, kind(value)))
}

/// Of what kind a value is.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl FromJson for String {
    const EXPECTED: &'static str = "a text";

    fn from_json(value: &Value) -> Result<Self, BadValue> {
        text::<Self>(value).map(Self::from)
    }
}
