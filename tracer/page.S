/* page.S - the page of export_html.c, as the Makefile has put it together: page_html to page_html_end.  */
	.section .rodata
	.globl page_html, page_html_end
page_html:
	.incbin "page.html"
page_html_end:
	.byte 0
	.section .note.GNU-stack, "", %progbits
