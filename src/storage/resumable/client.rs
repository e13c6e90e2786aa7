//! Sends commands to upload sessions.

use super::command::{Command, UploadProgress};
use crate::app::App;
use crate::body::stream::NativeBody;
use crate::domain::ids::AttemptId;
use crate::error::{Problem, Result};
use crate::ports::ObjectClass;

impl App {
    /// Sends a command to the session of `upload`. `body` is the body of the command, or `None` if the command has no
    /// body.
    ///
    /// # Errors
    /// The error that the session returns. `unavailable` if the call failed. In this case, the session may have carried
    /// out the command.
    pub async fn command_upload(
        &self,
        upload: AttemptId,
        command: &Command,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<UploadProgress> {
        let command = serde_json::to_value(command).map_err(Problem::internal)?;
        let name = upload.to_string();
        let response = self.named_objects.call(ObjectClass::UploadSession, &name, command, body).await?;
        serde_json::from_value(response).map_err(Problem::unavailable)
    }
}
