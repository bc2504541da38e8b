// DNSProxy
