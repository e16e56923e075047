;;; convention-test.el --- What Emacs users expect of a package  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; The conventions that no other file checks.  Which check stands for which
;; convention is in tests/meta/test_conventions.py.

;;; Code:

(require 'test-helper)
(require 'checks)

(defun convention-test-forms ()
  "Return (FILE . FORM) of each top-level form of the package."
  (cl-loop for file in (checks-files)
           append (with-temp-buffer
                    (insert-file-contents file)
                    (let (forms)
                      (condition-case nil
                          (while t (push (cons file (read (current-buffer))) forms))
                        (end-of-file nil))
                      (nreverse forms)))))

(defun convention-test-calls (form names)
  "Return the calls in FORM of functions in NAMES."
  (let (found)
    (cl-labels ((walk (part)
                  (while (consp part)
                    (when (and (symbolp (car part)) (memq (car part) names))
                      (push part found))
                    (walk (car part))
                    (setq part (cdr part)))
                  (when (vectorp part) (mapc #'walk part))))
      (walk form))
    found))

(ert-deftest convention-test-installs-offline ()
  "The package installs with what Emacs brings along, and its manual is found."
  (let* ((folder (file-name-as-directory (make-temp-file "mlps-install" t)))
         (source (file-name-as-directory (expand-file-name "meta-log-peer-sync-0.1.0" folder)))
         (archive (expand-file-name "meta-log-peer-sync-0.1.0.tar" folder)))
    (unwind-protect
        (progn
          (copy-directory checks-folder source nil nil t)
          (dolist (file (directory-files source t "\\.elc\\'\\|autoloads")) (delete-file file))
          ;; What a package archive makes of the headers.
          (with-temp-file (expand-file-name "meta-log-peer-sync-pkg.el" source)
            (prin1 (with-temp-buffer
                     (insert-file-contents (expand-file-name "meta-log-peer-sync.el" source))
                     (let ((info (package-buffer-info)))
                       (list 'define-package "meta-log-peer-sync"
                             (package-version-join (package-desc-version info))
                             (package-desc-summary info)
                             (list 'quote (mapcar (lambda (need)
                                                    (list (car need)
                                                          (package-version-join (cadr need))))
                                                  (package-desc-reqs info))))))
                   (current-buffer)))
          (let ((default-directory folder))
            (should (= 0 (call-process "tar" nil nil nil "-cf" archive
                                       "meta-log-peer-sync-0.1.0"))))
          (let* ((begin (format "(require 'package) (setq package-user-dir %S \
package-archives nil) (package-initialize)" (expand-file-name "elpa" folder)))
                 (installed (checks-run
                             (list "--eval" (format "(progn %s (package-install-file %S))"
                                                    begin archive))))
                 ;; The next Emacs has it, and has loaded nothing of it.
                 (output (cdr (checks-run
                               (list "--eval" (format "(progn %s (require 'info) \
(info-initialize) (princ (format \"RESULT:%%S\" (list \
(package-installed-p 'meta-log-peer-sync) (commandp 'meta-log-peer-sync-menu) \
(featurep 'meta-log-peer-sync) (stringp (Info-find-file \"meta-log-peer-sync\" t))))))"
                                                      begin))))))
            (should (equal 0 (car installed)))
            (should (equal "RESULT:(t t nil t)"
                           (and (string-match "RESULT:.*\\|[Ee]rror.*" output)
                                (match-string 0 output))))))
      (delete-directory folder t))))

(ert-deftest convention-test-regexps ()
  "Every regexp is valid, and no range in it is upside down."
  (let ((count 0))
    (pcase-dolist (`(,_file . ,form) (convention-test-forms))
      (dolist (call (convention-test-calls
                     form '(string-match-p string-match looking-at looking-at-p looking-back
                            re-search-forward re-search-backward replace-regexp-in-string)))
        (when (stringp (cadr call))
          (cl-incf count)
          (should (progn (string-match-p (cadr call) "") t))
          (let ((start 0))
            (while (string-match "\\[\\^?\\]?[^]]*?\\([a-zA-Z0-9]\\)-\\([a-zA-Z0-9]\\)"
                                 (cadr call) start)
              (should (<= (aref (match-string 1 (cadr call)) 0)
                          (aref (match-string 2 (cadr call)) 0)))
              ;; From capital to small letters there are signs in between.
              (should (eq (<= ?a (aref (match-string 1 (cadr call)) 0))
                          (<= ?a (aref (match-string 2 (cadr call)) 0))))
              (setq start (match-end 0)))))))
    (should (> count 15))))

(ert-deftest convention-test-minor-modes-bind-no-keys ()
  (let ((count 0))
    (pcase-dolist (`(,_file . ,form) (convention-test-forms))
      (when (eq 'define-minor-mode (car-safe form))
        (cl-incf count)
        (should-not (plist-get (cl-member-if #'keywordp form) :keymap))
        (should-not (boundp (intern (format "%s-map" (cadr form)))))))
    (should (>= count 3))))

(ert-deftest convention-test-the-group-has-links ()
  (let ((kinds (mapcar #'car (get 'meta-log-peer-sync 'custom-links))))
    (should (memq 'emacs-library-link kinds))
    (should (memq 'url-link kinds))
    (should (memq 'custom-manual kinds)))
  ;; No option stands outside of the group.
  (pcase-dolist (`(,_file . ,form) (convention-test-forms))
    (when (memq (car-safe form) '(defcustom defface))
      (let ((group (cadr (plist-get (nthcdr 4 form) :group))))
        (should (get group 'group-documentation))))))

(ert-deftest convention-test-hooks-say-what-they-are-called-with ()
  (let ((count 0))
    (pcase-dolist (`(,_file . ,form) (convention-test-forms))
      (when (eq 'defcustom (car-safe form))
        (pcase-let ((`(,_ ,name ,_ ,doc . ,more) form))
          (when (equal ''hook (plist-get more :type))
            (cl-incf count)
            (should (string-match-p "-\\(?:hook\\|functions\\)\\'" (symbol-name name)))
            (should (string-match-p "called\\|argument" doc))
            ;; An abnormal one names its arguments: a plist's keys, or in capitals.
            (when (or (string-suffix-p "-functions" (symbol-name name))
                      (string-prefix-p "meta-log-mqtt" (symbol-name name)))
              (should (string-match-p "`:[a-z_]+'\\|\\b[A-Z][A-Z-]+\\b" doc)))))))
    (should (> count 25))))

(ert-deftest convention-test-obsolete-names-have-a-version ()
  (pcase-dolist (`(,_file . ,form) (convention-test-forms))
    (dolist (call (convention-test-calls
                   form '(define-obsolete-function-alias define-obsolete-variable-alias
                           make-obsolete make-obsolete-variable)))
      (should (string-match-p "\\`[0-9]+\\.[0-9.]+\\'" (format "%s" (nth 3 call)))))))

(ert-deftest convention-test-processes-hold-nobody-back ()
  "No process asks when Emacs is left, and none is started synchronously."
  (let ((count 0))
    (pcase-dolist (`(,_file . ,form) (convention-test-forms))
      (should-not (convention-test-calls
                   form '(call-process process-file shell-command shell-command-to-string
                                       call-process-region sleep-for)))
      (dolist (call (convention-test-calls form '(make-process make-pipe-process)))
        (cl-incf count)
        (should (plist-get (cdr call) :noquery))))
    (should (>= count 3))))

(ert-deftest convention-test-others-edits-are-undone-apart ()
  (test-helper-with-fake
    (let ((file (expand-file-name "synced/a.txt" meta-log-peer-sync-state-directory)))
      (make-directory (file-name-directory file) t)
      (write-region "one\ntwo\n" nil file nil 'silent)
      (meta-log-peer-sync-guard-mode 1)
      (with-current-buffer (find-file-noselect file)
        (buffer-enable-undo)
        (goto-char (point-max))
        (insert "mine")
        (undo-boundary)
        (set-buffer-modified-p nil)
        (write-region "ONE\ntwo\nmine" nil file nil 'silent)
        (goto-char (point-min))
        (forward-line 1)
        (meta-log-peer-sync-guard-replace file)
        (should (looking-at-p "two"))
        (should (equal "ONE\ntwo\nmine" (buffer-string)))
        (undo)
        (should (equal "one\ntwo\nmine" (buffer-string)))
        (undo-more 1)
        (should (equal "one\ntwo\n" (buffer-string)))
        (set-buffer-modified-p nil)
        (kill-buffer)))))

(ert-deftest convention-test-faces-inherit ()
  (let ((count 0))
    (pcase-dolist (`(,_file . ,form) (convention-test-forms))
      (when (eq 'defface (car-safe form))
        (cl-incf count)
        (pcase-dolist (`(,display . ,attributes) (cadr (nth 2 form)))
          (should (eq t display))
          (should (equal '(:inherit) (cl-loop for (key _) on attributes by #'cddr
                                              collect key))))
        (should (plist-get (nthcdr 4 form) :package-version))))
    (should (>= count 3))))

(ert-deftest convention-test-every-command-is-called-by-a-test ()
  "Coverage of the coarsest kind: no command of the package is left untested.
Commands on keys are named by their keymaps, and pressed by tests."
  (let ((tests (with-temp-buffer
                 (dolist (file (append (directory-files test-helper-folder t "-test\\.el\\'")
                                       (directory-files
                                        (expand-file-name "../integration" test-helper-folder)
                                        t "\\.\\(?:el\\|py\\)\\'")))
                   (insert-file-contents file)
                   (goto-char (point-max)))
                 (buffer-string)))
        (missing nil))
    (pcase-dolist (`(,_file . ,form) (convention-test-forms))
      (when (and (eq 'defun (car-safe form)) (assq 'interactive (cl-remove-if-not #'consp form)))
        (let ((name (symbol-name (cadr form))))
          (unless (or (string-match-p (concat (regexp-quote name) "\\_>") tests)
                      ;; On a key of a list.
                      (cl-some (lambda (part)
                                 (and (eq 'defvar (car-safe (cdr part)))
                                      (string-match-p (concat "#'" (regexp-quote name) ")")
                                                      (prin1-to-string (cdr part)))))
                               (convention-test-forms)))
            (push name missing)))))
    (should-not missing)))

(defun convention-test-examples ()
  "Return (PLACE . TEXT) of each Lisp example in the documents."
  (let ((root (expand-file-name "../.." test-helper-folder)) found)
    (dolist (file (append (list (expand-file-name "README.md" root)
                                (expand-file-name "docs/manual/meta-log-peer-sync.texi" root))
                          (directory-files (expand-file-name "docs/tutorial" root) t "\\.md\\'")
                          (directory-files (expand-file-name "docs/how-to" root) t "\\.md\\'")))
      (with-temp-buffer
        (insert-file-contents file)
        (while (re-search-forward "^\\(?:```elisp\\|@example\\)\n" nil t)
          (let ((begin (point)))
            (re-search-forward "^\\(?:```\\|@end example\\)$")
            (let ((text (buffer-substring begin (match-beginning 0))))
              (when (string-prefix-p "(" text)
                (push (cons (file-name-nondirectory file) text) found)))))))
    (nreverse found)))

(ert-deftest convention-test-examples-run ()
  (let ((examples (convention-test-examples)))
    (should (>= (length examples) 4))
    (pcase-dolist (`(,place . ,text) examples)
      (test-helper-with-fake
        (let ((find-file-hook nil) (meta-log-peer-sync-document-changed-functions nil)
              (global-map (copy-keymap global-map)))
          (with-temp-buffer
            (insert text)
            (goto-char (point-min))
            (condition-case nil
                (while t
                  (let ((form (read (current-buffer))))
                    ;; What Emacs 28 does not have, as the page says; and what would
                    ;; fetch something, which a test of installing follows.
                    (unless (or (eq 'package-vc-install (car form))
                                (and (eq 'keymap-global-set (car form))
                                     (not (fboundp 'keymap-global-set))))
                      (should (progn (list place (eval form t)) t)))))
              (end-of-file nil)))
          (run-hook-with-args 'meta-log-peer-sync-document-changed-functions
                              '(:event "document-changed" :file "a" :peer_id "p"))
          (let ((file (expand-file-name "a.org" folder)))
            (write-region "x" nil file nil 'silent)
            (kill-buffer (find-file-noselect file))))))))

(provide 'convention-test)
;;; convention-test.el ends here
