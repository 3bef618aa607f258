//! Reducing a published model to its facts.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

const PUBLISHED: &str = r#"{
  "version": "2.0",
  "metadata": {"apiVersion": "2020-01-01", "endpointPrefix": "x", "protocol": "json",
    "jsonVersion": "1.1", "serviceFullName": "X", "serviceId": "X", "targetPrefix": "X_1", "uid": "x"},
  "documentation": "prose",
  "operations": {
    "Get": {"name": "Get", "http": {"method": "POST", "requestUri": "/"}, "documentation": "prose",
      "input": {"shape": "GetRequest"}, "errors": [{"shape": "Gone"}]}
  },
  "shapes": {
    "GetRequest": {"type": "structure", "required": ["name"], "documentation": "prose",
      "members": {"name": {"shape": "Name", "documentation": "prose"},
        "token": {"shape": "Name", "idempotencyToken": true}}},
    "Name": {"type": "string", "max": 9, "min": 1, "pattern": "[a-z]+", "documentation": "prose"},
    "Gone": {"type": "structure", "members": {}, "exception": true,
      "error": {"code": "Gone", "httpStatusCode": 410, "senderFault": true}}
  }
}"#;

const WAITERS: &str = r#"{"version": 2, "waiters": {"Ready": {"operation": "Get", "delay": 5,
  "maxAttempts": 3, "description": "prose", "acceptors": [{"state": "success"}]}}}"#;

const EXPECTED: &str = r#"{
"metadata":{"apiVersion":"2020-01-01","endpointPrefix":"x","jsonVersion":"1.1","protocol":"json","serviceFullName":"X","serviceId":"X","targetPrefix":"X_1"},
"operations":{
"Get":{"errors":["Gone"],"input":"GetRequest"}
},
"shapes":{
"GetRequest":{"members":{"name":"Name","token":{"idempotencyToken":true,"shape":"Name"}},"required":["name"],"type":"structure"},
"Gone":{"error":{"code":"Gone","httpStatusCode":410,"senderFault":true},"exception":true,"type":"structure"},
"Name":{"max":9,"min":1,"pattern":"[a-z]+","type":"string"}
},
"pagination":{
},
"waiters":{
"Ready":{"acceptors":[{"state":"success"}],"delay":5,"maxAttempts":3,"operation":"Get"}
}
}
"#;

#[test]
fn the_newest_version_is_kept_without_its_prose() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("import");
    let _ = fs::remove_dir_all(&folder);
    let data = folder.join("package/botocore/data/x");
    for version in ["2010-01-01", "2020-01-01"] {
        fs::create_dir_all(data.join(version)).unwrap();
    }
    fs::write(data.join("2010-01-01/service-2.json"), "{}").unwrap();
    let zipped = fs::File::create(data.join("2020-01-01/service-2.json.gz")).unwrap();
    let mut zipped = GzEncoder::new(zipped, Compression::fast());
    zipped.write_all(PUBLISHED.as_bytes()).unwrap();
    zipped.finish().unwrap();
    fs::write(data.join("2020-01-01/waiters-2.json"), WAITERS).unwrap();

    xtask::import::run(&folder, &folder.join("package"), "x").unwrap();
    let written = fs::read_to_string(folder.join("api-models/x/model.json")).unwrap();
    assert_eq!(written, EXPECTED);
}

#[test]
fn a_folder_that_holds_no_models_is_named() {
    let refused = xtask::import::run(Path::new("/nonexistent"), Path::new("/nonexistent"), "x");
    assert!(refused.unwrap_err().to_string().contains("/nonexistent"));
}
