//! Of which period an admin asks how the shop is ([`DashboardQuery`]).

use super::{read_query, unknown};
use crate::error::{BadValue, Invalid};

/// Of how many days, up to the present one: 1 to 365, usually 30.
///
/// ```
/// use bookhub_core::DashboardQuery;
///
/// assert_eq!(DashboardQuery::parse([("days", "7")]).unwrap().days(), 7);
/// assert_eq!(DashboardQuery::default().days(), 30);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DashboardQuery {
    days: u16,
}

impl DashboardQuery {
    /// As many days as a period may have.
    pub const MOST_DAYS: u16 = 365;

    /// Reads the parameter of a query: `days`, at most once.
    pub fn parse<N: AsRef<str>, V: AsRef<str>>(
        parameters: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Invalid> {
        read_query(parameters, Self::read)
    }

    fn read(&mut self, name: &str, value: &str) -> Result<(), BadValue> {
        if name != "days" {
            return Err(unknown("days"));
        }
        match value.parse() {
            Ok(days) if (1..=Self::MOST_DAYS).contains(&days) => self.days = days,
            _ => {
                let most = Self::MOST_DAYS;
                return Err(BadValue::new(format!("Must be a whole number from 1 to {most}.")));
            }
        }
        Ok(())
    }

    /// Of how many days.
    #[must_use]
    pub const fn days(self) -> u16 {
        self.days
    }
}

impl Default for DashboardQuery {
    fn default() -> Self {
        Self { days: 30 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_parameter_is_named() {
        for (name, value) in [
            ("days", ""),
            ("days", "0"),
            ("days", "-1"),
            ("days", "366"),
            ("days", "65537"),
            ("days", "1.5"),
            ("days", " 7"),
            ("limit", "7"),
        ] {
            let invalid = DashboardQuery::parse([(name, value)]).unwrap_err();
            assert_eq!(invalid.errors()[0].field, name, "{value}");
        }
        assert!(DashboardQuery::parse([("days", "7"), ("days", "7")]).is_err());
        for days in [1, 365] {
            let query = DashboardQuery::parse([("days", days.to_string())]);
            assert_eq!(query.map(DashboardQuery::days), Ok(days));
        }
        assert_eq!(DashboardQuery::parse::<&str, &str>([]), Ok(DashboardQuery::default()));
    }
}
