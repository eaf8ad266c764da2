//! What a session does when time has passed: heartbeats, silence, stalls, fresh tokens, and the end
//! of a credential.

use tokio::time::Instant;

use super::{Ended, Session};
use crate::{
    lane::{Ending, State},
    protocol::{CloseCode, Control},
};

impl Session {
    /// When to look at the clock again.
    pub(super) fn deadline(&self) -> Instant {
        let config = &self.shared.config;
        let state = self.lane.lock();
        let mut first = self.next_beat.min(self.token_due);
        if let Some(silent) = self.silent_at(&state) {
            first = first.min(silent);
        }
        if let Some(since) = state.stalled_since() {
            first = first.min(since + config.write_timeout);
        }
        if let Some(ends) = state.identity.expires_at() {
            let told = self.told_expiry == Some(ends);
            let next = if told { ends + config.auth_grace } else { ends };
            let left = next.duration_since(config.now()).unwrap_or_default();
            first = first.min(Instant::now() + left);
        }
        first
    }

    /// When the client counts as gone, if it is one that can speak. One that is slow to take what
    /// lies before a heartbeat cannot answer that yet, and shows its life by taking.
    fn silent_at(&self, state: &State) -> Option<Instant> {
        self.inbound.as_ref()?;
        let config = &self.shared.config;
        let alive_at = state.moved_at().map_or(self.heard_at, |moved| moved.max(self.heard_at));
        Some(alive_at + config.heartbeat + config.heartbeat_timeout)
    }

    pub(super) fn on_time(&mut self) -> Result<(), Ended> {
        let (now, config) = (Instant::now(), &self.shared.config);
        let mut state = self.lane.lock();
        let wall = config.now();
        if let Some(ends) = state.identity.expires_at().filter(|ends| *ends <= wall) {
            if wall >= ends + config.auth_grace {
                return Err(Ended::ByHub(Ending::unauthorized("the credential has expired")));
            }
            if self.told_expiry.replace(ends) != Some(ends) {
                let message = "The credential has expired: send a fresh one";
                state.say(&Control::Error { code: "credential_expired", message });
            }
        }
        if state.stalled_since().is_some_and(|since| now >= since + config.write_timeout)
            || self.silent_at(&state).is_some_and(|silent| now >= silent)
        {
            return Err(CloseCode::HeartbeatLost.into());
        }
        if now >= self.token_due {
            self.token_due = now + self.shared.tokens.lifetime() / 2;
            let token = self.token(&mut state, &self.shared.log());
            state.say(&Control::Token { token });
        }
        if now >= self.next_beat {
            self.next_beat = now + config.heartbeat;
            state.beat(&self.shared.log());
        }
        Ok(())
    }
}
