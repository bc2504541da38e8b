// DNSProxyTests
