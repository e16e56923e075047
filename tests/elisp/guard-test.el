;;; guard-test.el --- Synced files open inert  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Every attack is opened in every documented way.  A control without the
;; guard shows for some of them that the attack works on this Emacs, so that
;; a test that passes says something.

;;; Code:

(require 'test-helper)
(require 'dired)

(defconst guard-test-attacks
  '(("-*- eval: (write-region \"pwn\" nil \"%s\") -*-\n{}")
    ("{}\n\nLocal Variables:\neval: (write-region \"pwn\" nil \"%s\")\nEnd:\n")
    ("{}\n;; Local Variables:\n;; eval: (write-region \"pwn\" nil \"%s\")\n;; End:\n")
    ("{}\r\n\r\nLocal Variables:\r\neval: (write-region \"pwn\" nil \"%s\")\r\nEnd:\r\n")
    ("-*- mode: emacs-lisp -*-\n(eval-when-compile (write-region \"pwn\" nil \"%s\"))\n")
    ("{}\n;; Local Variables:\n;; mode: emacs-lisp\n;; End:\n")
    ("-*- mode: emacs-lisp; read-symbol-shorthands: ((\"zz-\" . \"ww-\")) -*-\n")
    ("{}\n;; Local Variables:\n;; read-symbol-shorthands: ((\"a\" . \"b\"))\n;; End:\n")
    ("{}\nLocal Variables:\ncompile-command: \"touch %s\"\nEnd:\n")
    ("{}\nLocal Variables:\nfill-column: 1\nindent-tabs-mode: t\nEnd:\n")
    ("-*- fill-column: 7; lexical-binding: t -*-\n{}")
    ("-*- coding: utf-7 -*-\n+AGE-\n")
    ("-*- coding: no-conversion -*-\n")
    ("{}\nLocal Variables:\ncoding: utf-16\nEnd:\n")
    ("#!/usr/bin/emacs --script\n(write-region \"pwn\" nil \"%s\")\n")
    ("-*- mode: org -*-\n#+LINK: x %%(shell-command \"touch %s\")\n[[x:y]]\n")
    ("#+STARTUP: latexpreview inlineimages\n#+BIND: fill-column 3\n$x$\n")
    ("Content-Type: text/enriched\n\n<x-display><param>(when (write-region \"pwn\" nil \"%s\"))</param>x</x-display>\n")
    ("-*- mode: dired-virtual -*-\n")
    ("-*- mode: python -*-\nimport os\n")
    ("-*- mode: image -*-\n")
    ("-*- enriched -*-\n")
    ("<?xml version=\"1.0\" encoding=\"utf-7\"?>\n<a/>\n")
    ("\\input texinfo\n@c %%**start\n")
    ("%%!PS-Adobe-3.0\n")
    ("BABYL OPTIONS:\n")
    ("{}\n\f\nLocal Variables:\nminor-mode: outline\neval: (kill-emacs 3)\nEnd:\n"))
  "Texts that Emacs would obey; the first %s is the name of a marker file.")

(defconst guard-test-names
  '("a.canvasl" "a.org" "a.json" "a.jsonl" "a.md" "a.txt" "a.canvas" "a.el" "a.py" "a.tar"
    "a.xml" "a.html" "a.dired" "Makefile")
  "Names of synced files; the last ones are never synced, and open inert too.")

(defun guard-test-shared-cases ()
  "Return the contents of the ready attacks, from the folder of shared data."
  (let ((file (and (getenv "MLPS_SHARED")
                   (expand-file-name "data/badinputs/badinputs.jsonl"
                                     (getenv "MLPS_SHARED")))))
    (when (and file (file-exists-p file))
      (with-temp-buffer
        (let ((coding-system-for-read 'utf-8-unix)) (insert-file-contents file))
        (cl-loop for line in (split-string (buffer-string) "\n" t)
                 for text = (and (string-match-p "\"layer\": \"canvasl\"" line)
                                 (string-match-p "\"name\": \"cv-" line)
                                 (ignore-errors
                                   (gethash "content"
                                            (gethash "payload" (json-parse-string line)))))
                 when (stringp text)
                 collect (replace-regexp-in-string "\\${MARK}" "%s" text t t))))))

(defmacro guard-test-with-synced (&rest body)
  "Run BODY with the guard on; `synced' is the synced folder, `mark' a marker."
  (declare (indent 0))
  `(test-helper-call
    (lambda (folder)
      (let* ((synced (file-name-as-directory
                      (expand-file-name "synced" meta-log-peer-sync-state-directory)))
             (mark (expand-file-name "MARK" folder))
             (enable-local-variables :all)
             (enable-local-eval t)
             (inhibit-message t)
             (coding-system-for-write nil))
        (ignore mark)
        (make-directory synced t)
        (meta-log-peer-sync-guard-mode 1)
        ,@body))))

(defun guard-test-bytes (file)
  "Return the bytes of FILE."
  (with-temp-buffer
    (set-buffer-multibyte nil)
    (insert-file-contents-literally file)
    (buffer-string)))

(defun guard-test-write (file bytes)
  "Write BYTES to FILE."
  (let ((coding-system-for-write 'no-conversion))
    (write-region bytes nil file nil 'silent)))

(defconst guard-test-local-allowed
  '(buffer-file-coding-system buffer-file-name buffer-file-truename)
  "Buffer-local variables that differ from file to file.")

(defun guard-test-locals ()
  "Return the names of the local variables of the current buffer, sorted."
  (sort (mapcar (lambda (entry) (symbol-name (if (consp entry) (car entry) entry)))
                (buffer-local-variables))
        #'string<))

(defun guard-test-check-buffer (mark)
  "The current buffer is inert, and MARK does not exist."
  (should-not (file-exists-p mark))
  (should (memq major-mode '(meta-log-peer-sync-guard-file-mode fundamental-mode
                                                                meta-log-peer-sync-view-mode)))
  (should-not file-local-variables-alist)
  (should-not dir-local-variables-alist)
  (should (= fill-column (default-value 'fill-column)))
  (should-not (local-variable-p 'read-symbol-shorthands))
  (should-not (local-variable-p 'compile-command))
  (should-not (local-variable-p 'lexical-binding)))

(defun guard-test-each (function)
  "Call FUNCTION with each attack, each with a name for it."
  (let ((n 0))
    (dolist (attack (append (mapcar #'car guard-test-attacks) (guard-test-shared-cases)))
      (funcall function attack (nth (mod n (length guard-test-names)) guard-test-names))
      (cl-incf n))
    n))

(ert-deftest guard-test-controls-work ()
  "Without the guard the attacks do what they are about to do."
  (test-helper-call
   (lambda (folder)
     (let* ((mark (expand-file-name "MARK" folder))
            (file (expand-file-name "x.canvasl" folder))
            (enable-local-variables :all) (enable-local-eval t) (inhibit-message t))
       (guard-test-write file (format (car (nth 0 guard-test-attacks)) mark))
       (with-current-buffer (find-file-noselect file) (kill-buffer))
       (should (file-exists-p mark))
       (guard-test-write file "-*- mode: emacs-lisp -*-\n")
       (with-current-buffer (find-file-noselect file)
         (should (eq major-mode 'emacs-lisp-mode))
         (kill-buffer))
       (guard-test-write file "-*- coding: latin-1 -*-\n\303\244")
       (with-current-buffer (find-file-noselect file)
         (should (eq (coding-system-base buffer-file-coding-system) 'iso-latin-1))
         (kill-buffer))))))

(ert-deftest guard-test-find-file ()
  (guard-test-with-synced
    (guard-test-each
     (lambda (attack name)
       (let ((file (expand-file-name name synced)) (text (format attack mark)))
         (setq text (encode-coding-string text 'utf-8-unix))
         (guard-test-write file text)
         (with-current-buffer (find-file-noselect file)
           (guard-test-check-buffer mark)
           (normal-mode)
           (guard-test-check-buffer mark)
           (hack-local-variables)
           (guard-test-check-buffer mark)
           (set-buffer-modified-p t)
           (save-buffer)
           (should (equal (guard-test-bytes file) text))
           (goto-char (point-max))
           (insert "x")
           (save-buffer)
           (should (equal (guard-test-bytes file) (concat text "x")))
           (guard-test-check-buffer mark)
           (kill-buffer))
         (delete-file file))))))

(defun guard-test-openers (file)
  "Return functions that open FILE in the documented ways, as (NAME . FUNCTION)."
  `((find-file . ,(lambda () (find-file file)))
    (read-only . ,(lambda () (find-file-read-only file)))
    (other-window . ,(lambda () (find-file-other-window file)))
    (literally . ,(lambda () (find-file-literally file)))
    (alternate . ,(lambda () (with-temp-buffer (find-alternate-file file)) (find-file file)))
    (view . ,(lambda () (view-file file)))
    (viewer . ,(lambda () (set-buffer (meta-log-peer-sync-view-file file))))
    (dired . ,(lambda () (dired (file-name-directory file))
                (dired-goto-file file) (dired-find-file)))
    (revert . ,(lambda () (find-file file) (revert-buffer t t)))
    (revert-mode . ,(lambda () (find-file file) (revert-buffer t t t)))
    (visit . ,(lambda () (switch-to-buffer (generate-new-buffer "visit"))
                (insert-file-contents file t) (normal-mode t)))
    (set-visited . ,(lambda () (switch-to-buffer (generate-new-buffer "set"))
                      (insert-file-contents file)
                      (set-visited-file-name file t)
                      (set-auto-mode)
                      (hack-local-variables)))
    (recover . ,(lambda ()
                  (find-file file)
                  (let ((auto-save (make-auto-save-file-name)))
                    (write-region nil nil auto-save nil 'silent)
                    (set-file-times auto-save (time-add nil 60))
                    (cl-letf (((symbol-function 'yes-or-no-p) #'always)
                              ((symbol-function 'read-answer) (lambda (&rest _) "yes")))
                      (recover-file file))
                    (set-buffer-modified-p nil)
                    (delete-file auto-save))))
    (quoted . ,(lambda () (find-file (concat "/:" file))))))

(ert-deftest guard-test-every-way ()
  (guard-test-with-synced
    (let* ((outside (expand-file-name "outside" folder))
           (link (expand-file-name "link.el" folder))
           (folder-link (expand-file-name "folder" folder)))
      (make-directory outside)
      (make-symbolic-link (directory-file-name synced) folder-link)
      (dolist (attack (list (car (nth 0 guard-test-attacks)) (car (nth 1 guard-test-attacks))
                            (car (nth 4 guard-test-attacks)) (car (nth 7 guard-test-attacks))
                            (car (nth 16 guard-test-attacks))
                            (car (nth 17 guard-test-attacks))))
        (let* ((file (expand-file-name "a.org" synced)) (text (format attack mark)))
          (guard-test-write file text)
          (make-symbolic-link file link t)
          (dolist (name (list file link (expand-file-name "a.org" folder-link)
                              (expand-file-name "../synced/./a.org" synced)))
            (pcase-dolist (`(,_way . ,open) (guard-test-openers name))
              (save-window-excursion
                (save-current-buffer
                  (funcall open)
                  (guard-test-check-buffer mark)
                  (dolist (buffer (buffer-list))
                    (when (or (buffer-local-value 'meta-log-peer-sync-guard--inert buffer)
                              (with-current-buffer buffer (derived-mode-p 'dired-mode)))
                      (with-current-buffer buffer
                        (set-buffer-modified-p nil)
                        (kill-buffer)))))))))))))

(ert-deftest guard-test-directory-variables ()
  (guard-test-with-synced
    (let ((file (expand-file-name "sub/a.txt" synced)))
      (make-directory (file-name-directory file))
      (write-region (format "((nil . ((fill-column . 9) (eval . (write-region \"x\" nil %S)))))"
                            mark)
                    nil (expand-file-name ".dir-locals.el" synced) nil 'silent)
      (write-region "x" nil file nil 'silent)
      (with-current-buffer (find-file-noselect file)
        (guard-test-check-buffer mark)
        (kill-buffer))
      (with-current-buffer (dired-noselect (file-name-directory file))
        (should-not dir-local-variables-alist)
        (should (= fill-column (default-value 'fill-column)))
        (kill-buffer))
      (should-not (file-exists-p mark)))))

(ert-deftest guard-test-same-locals-for-every-text ()
  "The set of local variables does not depend on the text."
  (guard-test-with-synced
    (let ((file (expand-file-name "a.canvasl" synced)) plain)
      (guard-test-write file "{}\n")
      (with-current-buffer (find-file-noselect file)
        (setq plain (guard-test-locals))
        (kill-buffer))
      (guard-test-each
       (lambda (attack _name)
         (guard-test-write file (encode-coding-string (format attack mark) 'utf-8-unix))
         (with-current-buffer (find-file-noselect file)
           (should (equal (guard-test-locals) plain))
           (kill-buffer)))))))

(ert-deftest guard-test-bytes-survive ()
  (guard-test-with-synced
    (let ((file (expand-file-name "a.txt" synced)))
      (dolist (bytes (list "" "x" "\n" "\r" "\r\n" "a\r\nb\r\n" "a\r\nb\n" "a\nb\r\n" "a\rb\r"
                           "a\r\r\nb\r\n" "\r\n\n" "\n\r\n" "\357\273\277" "\357\273\277x"
                           "\357\273\277\357\273\277x\r\n" "\357\273\277a\r\nb\r\n"
                           "\303\244\360\237\230\200\n" "\355\240\200" "\377\376" "\0\1\2"
                           "\300\200" "\364\220\200\200" "a\342\200\256b" "\033[31m" "\f\n"
                           "# Local\n" (make-string 70000 ?x)))
        (guard-test-write file bytes)
        (with-current-buffer (find-file-noselect file)
          (set-buffer-modified-p t)
          (save-buffer)
          (should (equal (guard-test-bytes file) bytes))
          (revert-buffer t t)
          (set-buffer-modified-p t)
          (save-buffer)
          (should (equal (guard-test-bytes file) bytes))
          (kill-buffer)))
      (with-current-buffer (progn (guard-test-write file "a\r\nb\r\n")
                                  (find-file-noselect file))
        (should (equal (buffer-string) "a\nb\n"))
        (goto-char (point-max))
        (insert "c\n")
        (save-buffer)
        (should (equal (guard-test-bytes file) "a\r\nb\r\nc\r\n"))
        (kill-buffer)))))

(ert-deftest guard-test-after-an-empty-file ()
  "An empty file, whose format is never decoded, leaves nothing open."
  (guard-test-with-synced
    (let ((empty (expand-file-name "e.txt" synced)) (file (expand-file-name "a.txt" synced)))
      (guard-test-write empty "")
      (dolist (text '("-*- coding: latin-1 -*-\n\303\244"
                      "Content-Type: text/enriched\nText-Width: 70\n\n<bold>x</bold>\n"))
        (guard-test-write file text)
        (with-temp-buffer (insert-file-contents empty))
        (with-current-buffer (find-file-noselect file)
          (should (equal (encode-coding-string (buffer-string) 'utf-8-unix) text))
          (kill-buffer))
        (with-temp-buffer
          (insert-file-contents empty)
          (insert-file-contents file)
          (should (equal (encode-coding-string (buffer-string) 'utf-8-unix) text)))))))

(ert-deftest guard-test-leaves-nothing-beside ()
  (guard-test-with-synced
    (let ((file (expand-file-name "a.txt" synced)) (make-backup-files t))
      (guard-test-write file "x")
      (with-current-buffer (find-file-noselect file)
        (auto-save-mode 1)
        (insert "y")
        (do-auto-save t)
        (should (file-exists-p buffer-auto-save-file-name))
        ;; The lock is there for the sidecar, and only while there are changes.
        (should (equal (directory-files synced nil "^[^.]\\|^\\.[^.]") '(".#a.txt" "a.txt")))
        (save-buffer)
        (should (equal (directory-files synced nil "^[^.]\\|^\\.[^.]") '("a.txt")))
        (insert "z")
        (save-buffer)
        (kill-buffer))
      (should (equal (directory-files synced nil "^[^.]\\|^\\.[^.]") '("a.txt"))))))

(ert-deftest guard-test-other-files-as-usual ()
  (guard-test-with-synced
    (let ((file (expand-file-name "x.el" folder)))
      (write-region ";; -*- fill-column: 33 -*-\n" nil file nil 'silent)
      (with-current-buffer (find-file-noselect file)
        (should (eq major-mode 'emacs-lisp-mode))
        (should (= fill-column 33))
        (kill-buffer))
      (let ((latin (expand-file-name "y.txt" folder)))
        (guard-test-write latin "-*- coding: latin-1 -*-\n\344")
        (with-current-buffer (find-file-noselect latin)
          (should (string-suffix-p "ä" (buffer-string)))
          (kill-buffer))))))

(ert-deftest guard-test-off-takes-advice-away ()
  (guard-test-with-synced
    (meta-log-peer-sync-guard-mode -1)
    (dolist (entry meta-log-peer-sync-guard--advice)
      (should-not (advice-member-p (cdr entry) (car entry))))))

(ert-deftest guard-test-user-modes ()
  (guard-test-with-synced
    (let ((meta-log-peer-sync-guard-modes '(("json" . conf-unix-mode)))
          (file (expand-file-name "a.json" synced)))
      (write-region "-*- mode: python; fill-column: 3 -*-\n" nil file nil 'silent)
      (with-current-buffer (find-file-noselect file)
        (should (eq major-mode 'conf-unix-mode))
        (should (/= fill-column 3))
        (should meta-log-peer-sync-guard--inert)
        (kill-buffer)))))

(ert-deftest guard-test-names ()
  (guard-test-with-synced
    (dolist (name (list "a.txt" "new/file" "../synced/x" "."))
      (should (meta-log-peer-sync-guard-file-p (expand-file-name name synced))))
    (should (meta-log-peer-sync-guard-file-p (concat "/ssh:nowhere:" synced "a.txt")))
    (should (meta-log-peer-sync-guard-file-p (concat "/:" synced "a.txt")))
    (should-not (meta-log-peer-sync-guard-file-p (expand-file-name "x" folder)))
    (should-not (meta-log-peer-sync-guard-file-p (concat (directory-file-name
                                                          meta-log-peer-sync-state-directory)
                                                         "-other/x")))
    (let ((own (expand-file-name "federation-blackboard.org"
                                 meta-log-peer-sync-state-directory)))
      (should (meta-log-peer-sync-guard-file-p own))
      (meta-log-peer-sync-guard-exempt own)
      (should-not (meta-log-peer-sync-guard-file-p own)))))

(ert-deftest guard-test-untrusted ()
  (guard-test-with-synced
    (let ((file (expand-file-name "a.txt" synced)))
      (write-region "x" nil file nil 'silent)
      (with-current-buffer (find-file-noselect file)
        (should (bound-and-true-p untrusted-content))
        (dolist (char '(#x202e #x200d #x3164 #xffa0 #x115f #xe0041))
          (should (equal (aref glyphless-char-display char) 'hex-code)))
        (kill-buffer)))))

;; Few changes and many: Emacs gives the many up after some milliseconds.
(ert-deftest guard-test-point-stays-in-its-line ()
  (let* ((lines (cl-loop for n below 20000
                         collect (format "{\"id\":\"n%d\",\"text\":\"entry %d\"}" n (* 7 n))))
         (old (string-join lines "\n")) (source (generate-new-buffer " source")))
    (unwind-protect
        (dolist (every '(9000 20 3))
          (with-current-buffer source
            (erase-buffer)
            (cl-loop for line in lines for n from 0 do
                     (when (= 0 (% n every)) (insert (format "{\"new\":%d}\n" n)))
                     (insert line "\n")))
          (with-temp-buffer
            (insert old)
            (goto-char (point-min))
            (search-forward "\"n10007\"")
            (meta-log-peer-sync-guard--replace-text source)
            (should (equal (buffer-string)
                           (with-current-buffer source (buffer-string))))
            (should (looking-back "{\"id\":\"n10007\"" (line-beginning-position)))))
      (kill-buffer source))))

(ert-deftest guard-test-a-line-is-found-again ()
  (cl-flet ((moved (old at new)
              (with-temp-buffer
                (insert old)
                (let ((place (meta-log-peer-sync-guard--place at)))
                  (erase-buffer)
                  (insert new)
                  (goto-char (meta-log-peer-sync-guard--find place))
                  (list (line-number-at-pos) (- (point) (line-beginning-position)))))))
    (should (equal (moved "aa\nbb\ncc\n" 5 "0\n0\naa\nbb\ncc\n") '(4 1)))
    (should (equal (moved "aa\nbb\ncc\n" 2 "aa\n0\n") '(1 1)))
    (should (equal (moved "aa\nbb\ncc\n" 2 "0\naa\n") '(2 1)))
    ;; The line is gone, or has nothing in it: below the one above it.
    (should (equal (moved "aa\nbb\ncc\n" 5 "0\naa\nxx\ncc\n") '(3 1)))
    (should (equal (moved "aa\n\ncc\n" 4 "0\n\naa\n\ncc\n") '(4 0)))
    ;; Of several, the closest one; of none, where it was.
    (should (equal (moved "aa\nbb\naa\n" 7 "aa\n0\n0\n0\naa\n") '(5 0)))
    (should (equal (moved "aa\nbb\naa\n" 1 "aa\n0\n0\n0\naa\n") '(1 0)))
    (should (equal (moved "aa\n" 3 "x") '(1 1)))
    (should (equal (moved "" 1 "x\ny\n") '(1 0)))))

(provide 'guard-test)
;;; guard-test.el ends here
