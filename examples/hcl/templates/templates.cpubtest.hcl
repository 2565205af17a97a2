mock "object_put" {
  outputs = { url = "s3://${input.bucket}/${input.key}" }
}

run "the page greets everybody" {
  variables = { names = ["Ada", "Grace", "Joan"] }
  assert {
    condition     = alltrue([for name in var.names : strcontains(input.page.content, name)])
    error_message = "A name is missing from the page."
  }
  assert {
    condition     = output.url == "s3://functions/pages/index.html" && output.templates == ["index.html.tmpl"]
    error_message = "The page lies where it is looked for."
  }
}
