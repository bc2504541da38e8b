# Runs in the guest as pid 1, after its modules are loaded.
cd /sallyport
uname -r
python3 -B Tests/Guest/inside.py && echo "GUEST ok"
