/* page.S - the page of export_html.c, as the Makefile has put it together.  */
	.section .rodata
	.globl page_html, page_html_size
page_html:
	.incbin "page.html"
1:	.balign 4
page_html_size:
	.long 1b - page_html
	.section .note.GNU-stack, "", %progbits
