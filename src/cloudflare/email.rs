//! Email on Cloudflare Email Service.

use async_trait::async_trait;
use js_sys::Object;
use wasm_bindgen::JsCast;
use worker::send::SendFuture;
use worker::{Env, SendEmail, SendEmailBuilder};

use crate::ports::{Email, EmailError, EmailMessage};

/// Name of the binding in `wrangler.toml`.
const BINDING: &str = "EMAIL";

/// A binding that sends email, and the sender of all messages.
pub struct CloudflareEmail {
    binding: SendEmail,
    from: String,
}

impl CloudflareEmail {
    /// Looks up the binding; `None` if it is not bound.
    pub fn bound(env: &Env, from: &str) -> Option<Self> {
        let binding = env.send_email(BINDING).ok()?;
        Some(Self { binding, from: from.to_owned() })
    }
}

#[async_trait]
impl Email for CloudflareEmail {
    async fn send(&self, message: &EmailMessage) -> Result<(), EmailError> {
        SendFuture::new(async {
            let builder: SendEmailBuilder = Object::new().unchecked_into();
            builder.set_from(&self.from);
            builder.set_to(&message.to);
            builder.set_subject(&message.subject);
            builder.set_text(&message.text);
            // The text of an error may contain the address of the recipient, so only the name of the error is kept.
            let sent = self.binding.send_with_builder(&builder).await;
            sent.map(|_| ()).map_err(|error| EmailError(String::from(error.name())))
        })
        .await
    }
}
