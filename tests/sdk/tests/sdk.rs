//! x
#[test]
fn x() { let _ = aws_smithy_http_client::Builder::new().build_http(); let _c: Option<aws_sdk_ecs::Client> = None; }
