"""The API server's HTTP interface as a function from requests to responses; sockets and TLS are a front's."""
