//! The store's carts, in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::{cart::Cart, error::StoreError, store::CartStore, user::UserId};

#[async_trait]
impl CartStore for MemoryStore {
    async fn cart(&self, user: UserId) -> Result<Cart, StoreError> {
        Ok(self.snapshot().carts.get(&user).cloned().unwrap_or_default())
    }

    async fn put_cart(&self, user: UserId, cart: Cart) -> Result<(), StoreError> {
        self.write(|state| {
            if cart.lines().is_empty() {
                state.carts.remove(&user);
            } else {
                state.carts.insert(user, cart);
            }
            Ok(())
        })
    }

    async fn merge_cart(&self, user: UserId, cart: Cart) -> Result<Cart, StoreError> {
        self.write(|state| {
            let merged = state.carts.get(&user).cloned().unwrap_or_default().merged_with(&cart);
            if !merged.lines().is_empty() {
                state.carts.insert(user, merged.clone());
            }
            Ok(merged)
        })
    }
}
