//! What people send about themselves, and admins about others, read from JSON with every problem found.

use serde_json::{Map, Value};

use crate::{
    error::Invalid,
    json::Fields,
    user::{Email, Password, Role, TypedPassword, Username},
};

/// Somebody who wants an account.
///
/// ```
/// use bookhub_core::Signup;
/// use serde_json::json;
///
/// let json = json!({"username": "al", "password": "short", "email": "alice"});
/// let invalid = Signup::from_json(json.as_object().unwrap()).unwrap_err();
/// assert_eq!(invalid.errors().len(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct Signup {
    /// The name to log in with.
    pub username: Username,
    /// The password to log in with.
    pub password: Password,
    /// Where to write to.
    pub email: Option<Email>,
}

impl Signup {
    /// Reads `username`, `password`, and `email`, which may be absent or `null`.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut fields = Fields::of(object, &["username", "password", "email"], &["id", "role"]);
        let username = fields.required("username");
        let password = fields.required("password");
        let email = fields.nullable("email").flatten();
        let signup = username.zip(password);
        fields.finish(signup.map(|(username, password)| Self { username, password, email }))
    }
}

/// Somebody who says who they are.
///
/// ```
/// use bookhub_core::Login;
/// use serde_json::json;
///
/// let json = json!({"username": "alice", "password": "correct horse"});
/// assert_eq!(Login::from_json(json.as_object().unwrap()).unwrap().username, "alice");
/// ```
#[derive(Clone, Debug)]
pub struct Login {
    /// The name, as typed.
    pub username: String,
    /// The password, as typed.
    pub password: TypedPassword,
}

impl Login {
    /// Somebody with this name and password.
    #[must_use]
    pub fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: TypedPassword::new(password) }
    }

    /// Reads `username` and `password`: texts, whatever they say.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut fields = Fields::of(object, &["username", "password"], &[]);
        let username = fields.required("username");
        let password = fields.required("password");
        fields
            .finish(username.zip(password).map(|(username, password)| Self { username, password }))
    }
}

/// Changes that somebody makes to their own account.
///
/// ```
/// use bookhub_core::ProfileUpdate;
/// use serde_json::json;
///
/// let json = json!({"password": "battery staple"});
/// let invalid = ProfileUpdate::from_json(json.as_object().unwrap()).unwrap_err();
/// assert_eq!(invalid.errors()[0].field, "currentPassword");
/// ```
#[derive(Clone, Debug, Default)]
pub struct ProfileUpdate {
    /// Another address, or none.
    pub email: Option<Option<Email>>,
    /// The current password, and another one.
    pub password: Option<(TypedPassword, Password)>,
}

impl ProfileUpdate {
    /// Reads `email`, which may be `null` to remove it, and `password`, which needs
    /// `currentPassword`.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        const KNOWN: &[&str] = &["email", "password", "currentPassword"];
        let mut fields = Fields::of(object, KNOWN, &["id", "username", "role", "createdAt"]);
        let email = fields.nullable("email");
        let password = fields.present("password");
        let mut current = None;
        if object.contains_key("password") {
            current = fields.required("currentPassword");
        } else if object.contains_key("currentPassword") {
            fields.refuse("password", "Is missing: give the new password, or leave both out.");
        }
        if object.is_empty() {
            fields.refuse("body", "Changes nothing: give email, or password and currentPassword.");
        }
        fields.finish(Some(Self { email, password: current.zip(password) }))
    }
}

/// What somebody may do from now on, says an admin.
///
/// ```
/// use bookhub_core::{Role, RolePatch};
/// use serde_json::json;
///
/// let json = json!({"role": "admin"});
/// assert_eq!(RolePatch::from_json(json.as_object().unwrap()).unwrap().role, Role::Admin);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolePatch {
    /// The new role.
    pub role: Role,
}

impl RolePatch {
    /// Reads `role`, which must be there.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        const READ_ONLY: &[&str] = &["id", "username", "email", "password", "createdAt"];
        let mut fields = Fields::of(object, &["role"], READ_ONLY);
        let role = fields.required("role");
        fields.finish(role.map(|role| Self { role }))
    }
}

/// Somebody who wants to leave, with all that the shop knows of them but their orders.
///
/// ```
/// use bookhub_core::AccountDeletion;
/// use serde_json::json;
///
/// let invalid = AccountDeletion::from_json(json!({}).as_object().unwrap()).unwrap_err();
/// assert_eq!(invalid.errors()[0].field, "currentPassword");
/// ```
#[derive(Clone, Debug)]
pub struct AccountDeletion {
    /// The password, as typed.
    pub password: TypedPassword,
}

impl AccountDeletion {
    /// Reads `currentPassword`, which must be there.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut fields = Fields::of(object, &["currentPassword"], &[]);
        let password = fields.required("currentPassword");
        fields.finish(password.map(|password| Self { password }))
    }
}
