# Runs in the guest as pid 1, after its modules are loaded but nft_redir.
cd /sallyport
uname -r
python3 Tests/Guest/inside.py && echo "GUEST ok"
