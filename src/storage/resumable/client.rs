//! The way to the session of an upload.

use super::command::{Command, UploadProgress};
use crate::app::App;
use crate::body::stream::NativeBody;
use crate::domain::ids::AttemptId;
use crate::error::{Problem, Result};
use crate::ports::ObjectClass;

impl App {
    /// Has the session of `upload` carry out a command, to which `body` brings bytes.
    ///
    /// # Errors
    /// What the session answers; or `unavailable`: it may have carried it out or not.
    pub async fn command_upload(
        &self,
        upload: AttemptId,
        command: &Command,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<UploadProgress> {
        let command = serde_json::to_value(command).map_err(Problem::internal)?;
        let name = upload.to_string();
        let answer = self.named_objects.call(ObjectClass::UploadSession, &name, command, body).await?;
        serde_json::from_value(answer).map_err(Problem::unavailable)
    }
}
