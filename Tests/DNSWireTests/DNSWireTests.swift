// DNSWireTests
