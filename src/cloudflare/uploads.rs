/// What a session answers with, as JSON.
type Answer = std::result::Result<Progress, Problem>;

/// The sessions of all uploads.
pub struct UploadSessions {
    namespace: ObjectNamespace,
}

impl UploadSessions {
    /// Wraps a binding.
    pub fn new(namespace: ObjectNamespace) -> Self {
        Self { namespace }
    }

    async fn ask(
        &self,
        upload: AttemptId,
        command: &Command,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Progress> {
        let lost = |error: worker::Error| Problem::unavailable(format!("upload session: {error}"));
        let request = request(command, body)?;
        let stub = self.namespace.get_by_name(&upload.to_string()).map_err(lost)?;
        let mut response = stub.fetch_with_request(request.into()).await.map_err(lost)?;
        let text = response.text().await.map_err(lost)?;
        serde_json::from_str::<Answer>(&text)
            .map_err(|error| Problem::unavailable(format!("upload session: {error}: {text}")))?
    }
}

#[async_trait]
impl Uploads for UploadSessions {
    async fn send(
        &self,
        upload: AttemptId,
        command: Command,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Progress> {
        SendFuture::new(self.ask(upload, &command, body)).await
    }
}

fn request(command: &Command, body: Option<Box<dyn NativeBody>>) -> Result<web_sys::Request> {
    let refused = |error: JsValue| Problem::internal(error_text(&error));
    let command = STANDARD.encode(serde_json::to_vec(command).map_err(Problem::internal)?);
    let headers = object(&[(COMMAND, command.into())]);
    let init = object(&[("method", "POST".into()), ("headers", headers.into())]);
    if let Some(body) = body {
        let foreign = |_| Problem::internal("a body that is not the platform's");
        let stream = body.into_any().downcast::<NativeStream>().map_err(foreign)?;
        let stream = stream.untouched().ok_or_else(|| Problem::internal("a body that was read before"))?;
        js_sys::Reflect::set(&init, &"body".into(), stream).map_err(refused)?;
    }
    web_sys::Request::new_with_str_and_init("https://upload-session/", init.unchecked_ref()).map_err(refused)
}
