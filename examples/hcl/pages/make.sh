# The root is read-only; /out is writable because something in it is collected.
mkdir -p /out/site
for note in /notes/*.txt; do
	name=${note##*/}
	{
		echo "<!doctype html><title>$TITLE</title><pre>"
		sed 's/&/\&amp;/g; s/</\&lt;/g' "$note"
		echo "</pre>"
	} >"/out/site/${name%.txt}.html"
done
wc -c /out/site/*.html | tee /out/report.txt
