"""The platform process's JSON API, a module a resource; handlers translate, the gate decides."""
