//! What an admin changes about an order.

use serde_json::{Map, Value};

use super::OrderStatus;
use crate::{error::Invalid, json::Fields};

const READ_ONLY: &[&str] =
    &["id", "userId", "items", "customer", "total", "version", "createdAt", "updatedAt"];

/// How far an order is said to have come.
///
/// ```
/// use bookhub_core::{OrderPatch, OrderStatus};
/// use serde_json::json;
///
/// let json = json!({"status": "shipped"});
/// let patch = OrderPatch::from_json(json.as_object().unwrap()).unwrap();
/// assert_eq!(patch.status, OrderStatus::Shipped);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderPatch {
    /// The new status.
    pub status: OrderStatus,
}

impl OrderPatch {
    /// Reads a patch: `status`, which must be there.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut fields = Fields::of(object, &["status"], READ_ONLY);
        let status = fields.required("status");
        fields.finish(status.map(|status| Self { status }))
    }
}
